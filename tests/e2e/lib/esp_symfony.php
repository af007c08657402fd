<?php
// Debian's Symfony Mailer with its bridges, unmodified, against mailtide over https:
// php -d curl.cainfo=CERT -d openssl.cafile=CERT esp_symfony.php PORT
require '/usr/share/php/Symfony/Component/Mailer/autoload.php';
foreach (['Amazon', 'Mailgun', 'Postmark', 'Sendgrid'] as $bridge) {
    require "/usr/share/php/Symfony/Component/Mailer/Bridge/$bridge/autoload.php";
}
require '/usr/share/php/Symfony/Component/HttpClient/autoload.php';

use Symfony\Component\Mailer\Transport;
use Symfony\Component\Mime\Address;
use Symfony\Component\Mime\Email;

$at = 'localhost:' . $argv[1];
$key = 'key-of-shop';
$ses = 'AKIASHOP:' . rawurlencode('secret/of+shop');
$dsns = [
    'sendgridapi' => "sendgrid+api://$key@$at",
    'mailgunapi' => "mailgun+api://$key:shop.test@$at?region=us",
    'mailgunhttps' => "mailgun+https://$key:shop.test@$at?region=us",
    'postmarkapi' => "postmark+api://$key@$at",
    'sesapi' => "ses+api://$ses@$at?region=us-east-1",
    'seshttps' => "ses+https://$ses@$at?region=us-east-1",
];
$told = [];
foreach ($dsns as $name => $dsn) {
    $letter = (new Email())
        ->from(new Address('n@shop.test', 'Ünïcode'))
        ->to(new Address('ann@client.asia', 'Jörg, M.'), 'ben@client.asia')
        ->bcc('dan@client.asia')
        ->subject("tok-sf$name-1 Grüße 你好")
        ->text("äöü 🙂\n")->html('<p>äöü</p>')
        ->attach(implode('', array_map('chr', range(0, 255))), 'ünï.bin', 'application/octet-stream');
    try {
        $told[$name] = [Transport::fromDsn($dsn)->send($letter)->getMessageId()];
    } catch (\Exception $e) {
        $told[$name] = [get_class($e), $e->getMessage()];
    }
    try {
        Transport::fromDsn(str_replace(['key-of-shop', 'AKIASHOP'], 'wrong', $dsn))->send($letter);
        $told[$name][] = 'no error';
    } catch (\Symfony\Component\Mailer\Exception\HttpTransportException $e) {
        $told[$name][] = $e->getResponse()->getStatusCode();
    }
}
echo json_encode($told);
