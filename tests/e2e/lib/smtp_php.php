<?php
// Debian's PHPMailer and Symfony Mailer over SMTP: php smtp_php.php phpmailer|symfony PORT, prints one JSON object.
[, $client, $port] = $argv;
$bytes = implode('', array_map('chr', range(0, 255)));

function phpmailer($password, $token, $to)
{
    global $port, $bytes;
    require_once '/usr/share/php/libphp-phpmailer/autoload.php';
    $m = new PHPMailer\PHPMailer\PHPMailer(true);
    $m->isSMTP();
    [$m->Host, $m->Port, $m->SMTPAuth, $m->Username, $m->Password] = ['localhost', (int)$port, true, 'shop', $password];
    $m->CharSet = 'UTF-8';
    $m->setFrom('n@shop.test', 'Ünïcode');
    array_map([$m, 'addAddress'], $to);
    $m->addBCC('dan@client.asia');
    [$m->Subject, $m->Body, $m->AltBody] = ["$token Grüße 你好", '<p>äöü</p>', "äöü 🙂\n.dot\n"];
    $m->addStringAttachment($bytes, 'ünï.bin', 'base64', 'application/octet-stream');
    return $m->send() ? 0 : 1;
}

function symfony($password, $token, $to)
{
    global $port, $bytes;
    require_once '/usr/share/php/Symfony/Component/Mailer/autoload.php';
    $letter = (new Symfony\Component\Mime\Email())
        ->from(new Symfony\Component\Mime\Address('n@shop.test', 'Ünïcode'))
        ->to(...$to)->bcc('dan@client.asia')->subject("$token Grüße 你好")
        ->text("äöü 🙂\n.dot\n")->html('<p>äöü</p>')
        ->attach($bytes, 'ünï.bin', 'application/octet-stream');
    $dsn = 'smtp://shop:' . rawurlencode($password) . "@localhost:$port";
    return Symfony\Component\Mailer\Transport::fromDsn($dsn)->send($letter)->getMessageId() ? 0 : 1;
}

function outcome(...$how)
{
    global $client;
    try {
        return $client(...$how);
    } catch (\Exception $e) {
        return [get_class($e), $e->getCode()];
    }
}

echo json_encode([
    'sent' => outcome('pass word', "tok-$client-1", ['ann@client.asia', 'ben@client.asia']),
    'wrong' => outcome('wrong', "tok-$client-2", ['ann@client.asia']),
    'bad' => outcome('pass word', "tok-$client-3", ['ann@other@client.asia']),
]);
