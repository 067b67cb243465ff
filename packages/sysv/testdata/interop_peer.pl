# Does with System V objects what standard input says, a line at a time, and answers in JSON; interop_peer.ts
# starts it and lists the commands.
use strict;
use warnings;
use IPC::Msg;
use IPC::Semaphore;
use IPC::SharedMem;
use IPC::SysV qw(IPC_CREAT IPC_EXCL IPC_NOWAIT SEM_UNDO);
use JSON::PP;

use constant MSG_EXCEPT => 020000;

my ($queue, $set, $memory);

sub exclusive { IPC_CREAT | IPC_EXCL | oct $_[0] }

sub bytes { $_[0] eq '-' ? '' : pack 'H*', $_[0] }

sub number { defined $_[0] ? $_[0] + 0 : undef }

sub fields {
    my ($status, @names) = @_;
    return { map { $_ => number($status->$_) } @names };
}

sub receive {
    my ($type, $flags) = @_;
    defined(my $got = $queue->rcv(my $bytes, 8192, $type, $flags)) or return;
    return { type => number($got), hex => unpack 'H*', $bytes };
}

my %commands = (
    'queue create' => sub { $queue = IPC::Msg->new($_[0], exclusive($_[1])) and number($queue->id) },
    'queue open' => sub { $queue = IPC::Msg->new($_[0], 0) and number($queue->id) },
    'queue send' => sub { $queue->snd($_[0], bytes($_[1])) and 0 },
    'queue receive' => sub { receive($_[0], 0) },
    'queue except' => sub { receive($_[0], MSG_EXCEPT) },
    'queue remove' => sub { $queue->remove and 0 },
    'queue status' => sub {
        fields($queue->stat, qw(uid gid cuid cgid mode qnum qbytes lspid lrpid stime rtime ctime));
    },
    'set create' => sub {
        my ($key, $size, $initial, $mode) = @_;
        $set = IPC::Semaphore->new($key, $size, exclusive($mode)) or return;
        $set->setall(($initial) x $size) and number($set->id);
    },
    'set open' => sub { $set = IPC::Semaphore->new($_[0], 0, 0) and number($set->id) },
    'set operate' => sub {
        my @operations = map {
            my ($index, $by, $flags) = split /:/;
            ($index, $by, ($flags =~ /u/ ? SEM_UNDO : 0) | ($flags =~ /n/ ? IPC_NOWAIT : 0));
        } @_;
        return JSON::PP::true if $set->op(@operations);
        return $!{EAGAIN} ? JSON::PP::false : undef;
    },
    'set values' => sub { [map { number($_) } $set->getall] },
    'set remove' => sub { $set->remove and 0 },
    'set status' => sub { fields($set->stat, qw(uid gid cuid cgid mode nsems otime ctime)) },
    'memory create' => sub {
        $memory = IPC::SharedMem->new($_[0], $_[1], exclusive($_[2])) or return;
        $memory->attach and number($memory->id);
    },
    'memory open' => sub {
        $memory = IPC::SharedMem->new($_[0], 0, 0) or return;
        $memory->attach and number($memory->id);
    },
    'memory write' => sub { $memory->write(bytes($_[1]), $_[0], length bytes($_[1])) && JSON::PP::true },
    'memory read' => sub { unpack 'H*', $memory->read($_[0], $_[1]) },
    'memory detach' => sub { $memory->detach and 0 },
    'memory remove' => sub { $memory->remove and 0 },
    'memory status' => sub {
        fields($memory->stat, qw(uid gid cuid cgid mode segsz nattch cpid lpid atime dtime ctime));
    },
);

my $json = JSON::PP->new->allow_nonref;
$| = 1;
while (my $line = <STDIN>) {
    my ($object, $verb, @arguments) = split ' ', $line;
    my $answer = $commands{"$object $verb"}->(@arguments);
    print $json->encode(defined $answer ? $answer : { error => "$!" }), "\n";
}
