<?php
// Does with System V objects what standard input says, a line at a time, and answers in JSON; interop_peer.ts
// starts it and lists the commands. A semaphore of sem_get is a set of three, so it has commands of its own, and
// so have the variables of shm_attach; plain memory goes through shmop.

$queue = $semaphore = $memory = $table = null;

function bytes(string $word): string
{
    return $word === '-' ? '' : hex2bin($word);
}

function receive(int $type, int $flags, bool $unserialize): array|false
{
    global $queue;
    $received = msg_receive($queue, $type, $got, 8192, $message, $unserialize, $flags);
    if (!$received) return false;
    return ['type' => $got] + ($unserialize ? ['value' => $message] : ['hex' => bin2hex($message)]);
}

$commands = [
    'queue create' => function (string $key, string $mode) use (&$queue) {
        if (msg_queue_exists((int) $key)) return false;
        $queue = msg_get_queue((int) $key, octdec($mode));
        return true;
    },
    'queue open' => function (string $key) use (&$queue) {
        if (!msg_queue_exists((int) $key)) return false;
        $queue = msg_get_queue((int) $key);
        return true;
    },
    'queue send' => function (string $type, string $word) use (&$queue) {
        return msg_send($queue, (int) $type, bytes($word), false) ? 0 : false;
    },
    'queue send_value' => function (string $type, string $json) use (&$queue) {
        return msg_send($queue, (int) $type, json_decode($json, true)) ? 0 : false;
    },
    'queue receive' => fn (string $type) => receive((int) $type, 0, false),
    'queue receive_value' => fn (string $type) => receive((int) $type, 0, true),
    'queue except' => fn (string $type) => receive((int) $type, MSG_EXCEPT, false),
    'queue remove' => function () use (&$queue) {
        return msg_remove_queue($queue) ? 0 : false;
    },
    'queue status' => function () use (&$queue) {
        $status = [];
        foreach (msg_stat_queue($queue) as $name => $value) {
            $status[preg_replace('/^msg_(perm\.)?/', '', $name)] = $value;
        }
        return $status;
    },
    'semaphore get' => function (string $key, string $most) use (&$semaphore) {
        $semaphore = sem_get((int) $key, (int) $most, 0600);
        return $semaphore !== false;
    },
    'semaphore acquire' => function () use (&$semaphore) {
        return sem_acquire($semaphore);
    },
    'semaphore try' => function () use (&$semaphore) {
        return ['acquired' => sem_acquire($semaphore, true)];
    },
    'semaphore release' => function () use (&$semaphore) {
        return sem_release($semaphore);
    },
    'semaphore remove' => function () use (&$semaphore) {
        return sem_remove($semaphore);
    },
    'memory create' => function (string $key, string $size, string $mode) use (&$memory) {
        $memory = shmop_open((int) $key, 'n', octdec($mode), (int) $size);
        return $memory !== false;
    },
    'memory open' => function (string $key) use (&$memory) {
        $memory = shmop_open((int) $key, 'w', 0, 0);
        return $memory !== false;
    },
    'memory write' => function (string $offset, string $word) use (&$memory) {
        return shmop_write($memory, bytes($word), (int) $offset) === strlen(bytes($word));
    },
    'memory read' => function (string $offset, string $length) use (&$memory) {
        return bin2hex(shmop_read($memory, (int) $offset, (int) $length));
    },
    'memory status' => function () use (&$memory) {
        return ['segsz' => shmop_size($memory)];
    },
    'memory detach' => function () use (&$memory) {
        $memory = null;
        return 0;
    },
    'memory remove' => function () use (&$memory) {
        return shmop_delete($memory) ? 0 : false;
    },
    'table attach' => function (string $key, string $size) use (&$table) {
        $table = shm_attach((int) $key, (int) $size, 0600);
        return $table !== false;
    },
    'table put' => function (string $number, string $json) use (&$table) {
        return shm_put_var($table, (int) $number, json_decode($json, true));
    },
    'table get' => function (string $number) use (&$table) {
        return ['value' => shm_get_var($table, (int) $number)];
    },
    'table remove' => function () use (&$table) {
        return shm_remove($table);
    },
];

while (($line = fgets(STDIN)) !== false) {
    [$object, $verb, $arguments] = explode(' ', rtrim($line, "\n") . ' ', 3);
    $words = $arguments === '' ? [] : explode(' ', rtrim($arguments, ' '));
    $answer = $commands["$object $verb"](...$words);
    if ($answer === false) $answer = ['error' => error_get_last()['message'] ?? 'it said false'];
    echo json_encode($answer), "\n";
}
