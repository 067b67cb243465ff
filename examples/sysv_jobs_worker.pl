# The other half of sysv_jobs.ts, which starts it: counts primes, the most urgent job first.
use strict;
use warnings;

use constant RESULT => 10;

my ($queue) = @ARGV;

# A message is a long, its type, and its bytes; to ask for type -9 is to ask for the lowest of 1 to 9.
while (msgrcv($queue, my $message, 8192, -9, 0)) {
    my ($priority, $limit) = unpack 'l! a*', $message;
    my $primes = grep { my $n = $_; not grep { $n % $_ == 0 } 2 .. sqrt $n } 2 .. $limit;
    msgsnd($queue, pack('l! a*', RESULT, "priority $priority: $primes primes up to $limit"), 0) or die "msgsnd: $!";
}
$!{EIDRM} or $!{EINVAL} or die "msgrcv: $!";
