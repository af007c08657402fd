# Debian's Email::Sender, unmodified: perl smtp_perl.pl PORT, prints one JSON object.
use strict;
use warnings;
use utf8;
use Email::Sender::Simple ();
use Email::Sender::Transport::SMTP;
use Email::Stuffer;
use JSON::PP;

sub outcome {
    my ($password, $token, $to) = @_;
    my $transport = Email::Sender::Transport::SMTP->new(
        host => '127.0.0.1', port => $ARGV[0], sasl_username => 'shop', sasl_password => $password);
    my $letter = Email::Stuffer->from('Ünïcode <n@shop.test>')->to(@$to)->subject("$token Grüße 你好")
        ->text_body("äöü 🙂\n.dot\n")->html_body('<p>äöü</p>')
        ->attach(join('', map { chr } 0 .. 255), content_type => 'application/octet-stream', name => 'uni.bin',
                 filename => 'uni.bin');
    my $done = eval {
        Email::Sender::Simple->send($letter->email,
                                    { transport => $transport, to => [@$to, 'dan@client.asia'], from => 'n@shop.test' });
    };
    return 0 if $done;
    return [ref $@, $@->can('code') ? $@->code : undef];
}

print encode_json({
    sent  => outcome('pass word', 'tok-perl-1', ['ann@client.asia', 'ben@client.asia']),
    wrong => outcome('wrong', 'tok-perl-2', ['ann@client.asia']),
    bad   => outcome('pass word', 'tok-perl-3', ['ann@client..asia']),
});
