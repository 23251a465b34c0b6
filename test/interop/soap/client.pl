use strict;
use SOAP::Lite;

my $client = SOAP::Lite->service($ARGV[0]);
print $client->Credits_STR('user', 'secret'), "\n";
