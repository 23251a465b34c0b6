# LWP with keep_alive; it asks the proxy for a tunnel by itself.
use strict;
use warnings;
use LWP::UserAgent;

my $base = $ARGV[0];
my %tls = (SSL_ca_file => $ENV{TLSLIFT_CA}, verify_hostname => 1);
my $version = { '1.0' => 'TLSv1', '1.1' => 'TLSv1_1' }->{ $ENV{TLSLIFT_TLS} };
%tls = (%tls, SSL_version => $version, SSL_cipher_list => 'ALL:@SECLEVEL=0') if $version;
my $agent = LWP::UserAgent->new(keep_alive => 1, ssl_opts => \%tls);
$agent->proxy(https => "http://$ENV{TLSLIFT_PROXY}") if $ENV{TLSLIFT_PROXY};
binmode STDOUT;
sub show {
    my $answer = shift;
    die $answer->status_line . "\n" . $answer->content unless $answer->is_success;
    print $answer->content;
}
show($agent->get("$base/exchange/get"));
show($agent->post("$base/exchange/post", Content => 'message=hello'));
show($agent->get("$base/exchange/kept/$_")) for 0 .. 49;
show($agent->get("$base/large"));
