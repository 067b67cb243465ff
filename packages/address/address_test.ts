import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  AddressError,
  connect,
  formatAddress,
  list,
  listen,
  make,
  openMemory,
  openSemaphore,
  parseAddress,
  schemes,
  stat,
} from "./mod.ts";

Deno.test("parseAddress() takes an address apart and decodes it", () => {
  const address = parseAddress("fifo:/run/a%20b%3Fc%25/%C3%A4#d+e?framing=lines&allow-owner=1000");
  assertEquals(address.scheme, "fifo");
  assertEquals(address.target, "/run/a b?c%/ä#d+e");
  assertEquals({ ...address.params }, { framing: "lines", "allow-owner": "1000" });
  assertEquals(parseAddress("fifo:./in").target, "./in");
  assertEquals(parseAddress("fifo:in:out?").target, "in:out");
  assertEquals(parseAddress("stdio:").target, "");
  assertEquals(parseAddress("sysv-msg:-1").target, "-1");
  assertEquals({ ...parseAddress("sysv-shm:./table?proj=A").params }, { proj: "A" });
  assertEquals({ ...parseAddress("sysv-sem:?id=0&index=3").params }, { id: "0", index: "3" });
  assertEquals({ ...parseAddress("stdio:?framing=n%75l").params }, { framing: "nul" });
  assertEquals(parseAddress("mq:/a%20b%25?priority=7").target, "/a b%");
  assertEquals(parseAddress(`sem:/${"ä".repeat(125)}`).target.length, 126);
});

const ALL =
  "fifo:, file:, unix:, unix-seqpacket:, unix-dgram:, tcp:, tls:, udp:, ws:, wss:, sysv-msg:, sysv-sem:, sysv-shm:, mq:, sem:, shm:, mmap:, stdio:";

const wrong: [address: string, reason: string][] = [
  ["", "it is empty; an address is like fifo:/path"],
  ["/run/in", 'it says no mechanism; for a FIFO write "fifo:/run/in"'],
  ["./in", 'it says no mechanism; for a FIFO write "fifo:./in"'],
  ["queue", `it says no mechanism; an address begins with ${ALL}`],
  [":", `it says no mechanism; an address begins with ${ALL}`],
  ["FIFO:/run/in", `it says no mechanism; an address begins with ${ALL}`],
  ["pipe:/run/in", `there is no mechanism "pipe"; there are ${ALL}`],
  ["constructor:/a", `there is no mechanism "constructor"; there are ${ALL}`],
  ["fifo:", "it has no path"],
  ["fifo:?framing=raw", "it has no path"],
  ["fifo:/a%00b", "no name has a zero byte in it"],
  ["fifo:/a%zz", '"/a%zz" is not percent-encoded UTF-8; a percent sign is written %25'],
  ["fifo:/a%ff", '"/a%ff" is not percent-encoded UTF-8; a percent sign is written %25'],
  ["fifo:/a?frming=raw", '"fifo:" has no parameter "frming"; it has framing, allow-writers, allow-owner'],
  [
    "fifo:/a?constructor=x",
    '"fifo:" has no parameter "constructor"; it has framing, allow-writers, allow-owner',
  ],
  ["fifo:/a?framing=raw&framing=raw", '"framing" is given twice'],
  ["fifo:/a?framing", '"framing" is "", and must be one of length|lines|nul|content-length|raw'],
  ["fifo:/a?allow-writers=me", '"allow-writers" is "me", and must be one of group|all'],
  ["fifo:/a?allow-owner=root", '"allow-owner" is "root", and must be a user\'s number'],
  ["stdio:1", 'only parameters follow "stdio:"'],
  ["sysv-msg:", "a key is decimal, 0x hexadecimal or 0 octal, and a path begins with / or ./"],
  ["sysv-sem:jobs", "a key is decimal, 0x hexadecimal or 0 octal, and a path begins with / or ./"],
  ["sysv-sem:089", "a key is decimal, 0x hexadecimal or 0 octal, and a path begins with / or ./"],
  ["sysv-shm:/etc/hosts", "a path needs ?proj=, as the other program gives it to ftok"],
  ["sysv-shm:1?proj=65", "?proj= goes with a path"],
  ["sysv-shm:/etc?proj=0", '"proj" is "0", and must be a number from 1 to 255, or a letter'],
  ["sysv-shm:/etc?proj=256", '"proj" is "256", and must be a number from 1 to 255, or a letter'],
  ["sysv-msg:1?id=2", "?id= stands for itself"],
  ["sysv-msg:?id=-1", '"id" is "-1", and must be an id as ls shows it'],
  ["sysv-msg:1?send=0", '"send" is "0", and must be a type, from 1'],
  ["sysv-sem:1?allow-owner=me", '"allow-owner" is "me", and must be a user\'s number, or any'],
  ["mq:jobs", "a name begins with its only slash: mq:/jobs"],
  ["mq:", "a name begins with its only slash: mq:/jobs"],
  ["sem:/", "a name begins with its only slash: sem:/busy"],
  ["shm:/a/b", "a name begins with its only slash: shm:/table"],
  ["shm:/..", "a name begins with its only slash: shm:/table"],
  ["mq:/%2F", "a name begins with its only slash: mq:/jobs"],
  [`sem:/${"ä".repeat(126)}`, "its name has 252 bytes behind the slash, the limit is 251"],
  [`mq:/${"a".repeat(256)}`, "its name has 256 bytes behind the slash, the limit is 255"],
  ["mq:/a?priority=32768", '"priority" is "32768", and must be a priority, from 0 to 32767'],
  ["shm:/a?priority=1", '"shm:" has no parameter "priority"; it has allow-owner'],
  ["mmap:", "it has no path"],
  ["mmap:/a?x=1", '"mmap:" has no parameters'],
  ["sysv-sem:1?index=x", '"index" is "x", and must be a member of the set, from 0'],
];

for (const [address, reason] of wrong) {
  Deno.test(`parseAddress("${address}") says what is wrong`, () => {
    const error = assertThrows(() => parseAddress(address), AddressError);
    assert(error instanceof TypeError);
    assertEquals([error.message, error.address], [`Cannot read address "${address}": ${reason}`, address]);
  });
}

Deno.test("formatAddress() and parseAddress() are each other's opposite, for any path", () => {
  const path = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => !text.includes("\0"));
  const framing = fc.constantFrom("length", "lines", "nul", "content-length", "raw");
  fc.assert(fc.property(path, fc.option(framing), (path, framing) => {
    const params: Record<string, string> = framing === null ? {} : { framing };
    const address = parseAddress(formatAddress("fifo", path, params));
    assertEquals([address.target, { ...address.params }], [path, params]);
  }));
});

Deno.test("what a mechanism does not have is an AddressError that says so", async () => {
  const both = await assertRejects(() => connect(parseAddress("fifo:/a")), AddressError);
  assertEquals(
    both.message,
    'Cannot connect to "fifo:/a": a FIFO goes one way; give direction: "send" or "receive"',
  );
  await assertRejects(
    () => listen(parseAddress("stdio:")),
    AddressError,
    '"stdio:" has nothing to listen at',
  );
  await assertRejects(() => make("stdio:"), AddressError, 'Cannot create "stdio:"');
  await assertRejects(() => stat("stdio:"), AddressError, 'Cannot look at "stdio:"');
  for (const object of ["sysv-sem:1", "sysv-shm:1", "sem:/a", "shm:/a", "mmap:/a"]) {
    await assertRejects(() => connect(object as string, { direction: "send" }), AddressError, "no messages");
    await assertRejects(
      () => listen(object as string, { direction: "receive" }),
      AddressError,
      "no messages",
    );
  }
  await assertRejects(() => connect(parseAddress("mq:/a")), AddressError, "gets its own messages back");
  await assertRejects(() => openMemory("sem:/a"), AddressError, '"sem:" has nothing to attach');
  await assertRejects(
    () => make("mq:/a", { size: 1 }),
    AddressError,
    '"mq:" has no size; it has mode, limit of messages and longest message',
  );
  for (const memory of ["shm:/a", "mmap:/a"]) {
    await assertRejects(() => make(memory), AddressError, "it needs a size, in bytes");
  }
  await assertRejects(() => make("sem:/a", { initial: [1, 2] }), AddressError, "begins with one value");
  await assertRejects(() => openSemaphore("sysv-shm:1"), AddressError, '"sysv-shm:" has nothing to acquire');
  await assertRejects(() => openMemory("sysv-sem:1"), AddressError, '"sysv-sem:" has nothing to attach');
  await assertRejects(() => make("fifo:/a", { size: 1 }), AddressError, '"fifo:" has no size; it has mode');
  await assertRejects(
    () => make("sysv-msg:1", { initial: 1 }),
    AddressError,
    "it has mode and limit of bytes",
  );
  await assertRejects(() => make("sysv-shm:1"), AddressError, "it needs a size, in bytes");
  await assertRejects(() => make("sysv-msg:?id=1"), AddressError, "ids are given by the system");
  await assertRejects(() => stat("sysv-msg:0"), AddressError, "a private object is found by its id");
  await assertRejects(
    () => listen("sysv-msg:0", { direction: "receive" }),
    AddressError,
    "nobody could find a private object",
  );
  await assertRejects(
    () => connect("sysv-msg:1?send=1&receive=1"),
    AddressError,
    "in both directions it needs two types",
  );
  assertThrows(() => list(["pipe"]), AddressError, 'Cannot list "pipe": there is no such kind of object');
  assertThrows(() => list(["constructor"]), AddressError, "there is no such kind of object");
  assertThrows(() => list(["mmap"]), AddressError, 'where? "mmap:/run" has those below /run');
  assertThrows(() => list(["fifo"]), AddressError, 'where? "fifo:/run" has those below /run');
  assertThrows(() => list(["sysv-msg:/run"]), AddressError, 'all of them are listed with "sysv-msg"');
});

Deno.test("the types refuse a FIFO in both directions", () => {
  // Never called: it is the compiler that this is for.
  const _never = () => {
    // @ts-expect-error a FIFO goes one way
    connect("fifo:/run/in");
    // @ts-expect-error a FIFO goes one way
    listen("fifo:/run/in", { direction: "both" });
    // @ts-expect-error semaphores carry no messages
    connect("sysv-sem:1");
    // @ts-expect-error memory carries no messages
    connect("mmap:/a");
    // @ts-expect-error a queue has one direction
    connect("mq:/jobs");
    connect("stdio:");
    connect("sysv-msg:1?send=1&receive=2");
    connect("fifo:/run/in", { direction: "send" });
  };
});

Deno.test("schemes tells what help shows", () => {
  assertEquals(schemes.map(({ form }) => form), [
    "fifo:/path",
    "file:/path",
    "unix:/path",
    "unix-seqpacket:/path",
    "unix-dgram:/path",
    "tcp:host:port",
    "tls:host:port",
    "udp:host:port",
    "ws://host:port/path",
    "wss://host/path",
    "sysv-msg:KEY",
    "sysv-sem:KEY",
    "sysv-shm:KEY",
    "mq:/name",
    "sem:/name",
    "shm:/name",
    "mmap:/path",
    "stdio:",
  ]);
  assertEquals(schemes[0]!.params.framing, "length|lines|nul|content-length|raw");
});
