use strict;
use LWP::UserAgent;

my ($endpoint, $id) = @ARGV;
my $answer = LWP::UserAgent->new->post($endpoint, [Type => 'sendparam', Username => 'user', Password => 'secret', numto => '27820000001', data1 => 'hello world', customerid => $id]);
if (!$answer->is_success) {
    print 'failed: ', $answer->status_line, "\n";
} elsif ($answer->content =~ m{<result>True</result>}) {
    print "sent\n";
} else {
    print 'failed: ', $answer->content, "\n";
}
