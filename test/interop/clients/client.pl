# LWP with env_proxy; keep_alive keeps the connection.
use strict;
use warnings;
use LWP::UserAgent;

my ($method, $url, $body, $count) = @ARGV;
$ENV{http_proxy} = 'http://' . $ENV{TLSLIFT_PROXY};
my $agent = LWP::UserAgent->new(env_proxy => 1, keep_alive => 1);
binmode STDOUT;
for my $n (0 .. $count - 1) {
    (my $address = $url) =~ s/\{n\}/$n/g;
    (my $content = $body) =~ s/\{n\}/$n/g;
    my $answer = $method eq 'POST'
        ? $agent->post($address, 'Content-Type' => 'application/x-www-form-urlencoded', Content => $content)
        : $agent->get($address);
    print $answer->content;
}
