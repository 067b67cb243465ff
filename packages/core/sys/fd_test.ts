import { assert, assertEquals, assertInstanceOf, assertNotEquals, assertThrows } from "@std/assert";
import { ClosedError, IpcError, LimitError } from "../errors.ts";
import { leakCheck, withFault } from "../testing/mod.ts";
import { runChild } from "../testdata/child.ts";
import { libc } from "./_libc.ts";
import { abi } from "./abi.ts";
import { cString } from "./c_string.ts";
import { check } from "./errno.ts";
import { dupCloexec, OwnedFd, setNonblocking, stat } from "./fd.ts";

leakCheck();

function open(path: string, flags = abi.O_RDONLY): OwnedFd {
  return new OwnedFd(check(libc.open(cString(path), flags | abi.O_CLOEXEC, 0), "open", "open", path));
}

function isOpen(fd: number): boolean {
  return libc.fcntl(fd, abi.F_GETFD, 0) !== -1;
}

Deno.test("OwnedFd closes its descriptor once, also at the end of a using", () => {
  const owned = open("/dev/null");
  const number = owned.fd;
  assert(isOpen(number));
  {
    using scoped = owned;
    assertEquals(scoped.closed, false);
  }
  assert(!isOpen(number));
  assertEquals(owned.closed, true);
  // The number belongs to somebody else now, who must keep it.
  using other = open("/dev/null");
  assertEquals(other.fd, number);
  owned.close();
  assert(isOpen(number));
  assertThrows(() => owned.fd, ClosedError);
  assertThrows(() => owned.take(), ClosedError);
});

Deno.test("OwnedFd.take gives the descriptor away open", () => {
  const owned = open("/dev/null");
  const number = owned.take();
  owned.close();
  assert(isOpen(number));
  using _again = new OwnedFd(number);
  assertEquals(owned.closed, true);
});

Deno.test("OwnedFd tells when its number was closed behind its back, but not of EINTR", async () => {
  const owned = open("/dev/null");
  libc.close(owned.fd);
  const error = assertThrows(() => owned.close(), IpcError, "Cannot close descriptor");
  assertEquals(error.code, "EBADF");

  const interrupted = open("/dev/null");
  const number = interrupted.fd;
  const run = await withFault({ nth: 1, symbols: "close", errno: 4 }, () => interrupted.close());
  assertEquals(run.hit, "close");
  assertEquals(run.error, undefined);
  assert(!isOpen(number));
});

Deno.test("OwnedFd refuses what is no descriptor", () => {
  for (const bad of [-1, 1.5, NaN, 2 ** 31]) assertThrows(() => new OwnedFd(bad), RangeError);
});

Deno.test("stat agrees with the runtime about files, directories and devices", async () => {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, "twelve bytes");
    await Deno.chmod(path, 0o640);
    for (
      const [name, type] of [[path, "file"], ["/proc", "directory"], [
        "/dev/null",
        "character-device",
      ]] as const
    ) {
      using fd = open(name);
      const seen = stat(fd.fd);
      const info = Deno.statSync(name);
      assertEquals(seen.type, type);
      assertEquals(seen.mode, info.mode! & 0o7777);
      assertEquals(seen.uid, info.uid);
      assertEquals(seen.gid, info.gid);
      assertEquals(seen.size, info.size);
      assertEquals(seen.ino, BigInt(info.ino!));
      assertEquals(seen.dev, BigInt(info.dev));
      if (name === path) assertEquals(seen.nlink, 1);
    }
    using fd = open(path);
    await Deno.link(path, `${path}.2`);
    assertEquals(stat(fd.fd).nlink, 2);
    await Deno.remove(`${path}.2`);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("stat knows pipes, sockets, links and what has no type", () => {
  const ends = new Int32Array(2);
  check(libc.pipe2(ends, abi.O_CLOEXEC), "pipe2", "create pipe");
  using reader = new OwnedFd(ends[0]!);
  using _writer = new OwnedFd(ends[1]!);
  assertEquals(stat(reader.fd).type, "fifo");
  using eventfd = new OwnedFd(libc.eventfd(0, abi.EFD_CLOEXEC));
  assertEquals(stat(eventfd.fd).type, "other");
  using link = open("/proc/self/exe", abi.O_PATH | abi.O_NOFOLLOW);
  assertEquals(stat(link.fd).type, "symlink");
});

Deno.test("stat falls back to the versioned call of older glibc", async () => {
  // A new isolate, in which the first table that is bound has no fstat of its own.
  const { stdout, stderr } = await runChild(`
    const { dlopen } = Deno;
    Deno.dlopen = ((path, symbols) => {
      const library = dlopen(path, symbols);
      return "fstat" in symbols ? { symbols: { ...library.symbols, fstat: null } } : library;
    });
    const { libc } = await import("@core/sys/_libc.ts");
    const { stat } = await import("@core/sys/fd.ts");
    console.log(libc.fstat, libc.__fxstat === null ? "skip" : stat(0).type);
  `);
  assertEquals(stderr, "");
  assert(["null character-device\n", "null skip\n"].includes(stdout), stdout);
});

Deno.test("stat and dupCloexec throw for what is not open", () => {
  for (const call of [() => stat(-1), () => dupCloexec(-1), () => setNonblocking(-1, true)]) {
    assertEquals(assertThrows(call, IpcError).code, "EBADF");
  }
});

Deno.test("dupCloexec gives a close-on-exec descriptor of the same description", async () => {
  using fd = open("/dev/null");
  using copy = new OwnedFd(dupCloexec(fd.fd));
  assertNotEquals(copy.fd, fd.fd);
  assertEquals(libc.fcntl(copy.fd, abi.F_GETFD, 0), abi.FD_CLOEXEC);
  assertEquals(stat(copy.fd).ino, stat(fd.fd).ino);
  const { stdout } = await new Deno.Command("ls", { args: ["/proc/self/fd"] }).output();
  assert(!new TextDecoder().decode(stdout).split("\n").includes(String(copy.fd)), "the child got it");
  const run = await withFault({ nth: 1, symbols: "fcntl", errno: 24 }, () => dupCloexec(fd.fd));
  assertInstanceOf(run.error, LimitError);
});

Deno.test("setNonblocking changes the mode that all duplicates share, and nothing else", () => {
  using fd = open("/dev/null", abi.O_WRONLY | abi.O_APPEND);
  using copy = new OwnedFd(dupCloexec(fd.fd));
  setNonblocking(fd.fd, true);
  const flags = libc.fcntl(copy.fd, abi.F_GETFL, 0);
  assertEquals(
    flags & (abi.O_NONBLOCK | abi.O_APPEND | abi.O_ACCMODE),
    abi.O_NONBLOCK | abi.O_APPEND | abi.O_WRONLY,
  );
  setNonblocking(copy.fd, false);
  assertEquals(libc.fcntl(fd.fd, abi.F_GETFL, 0) & abi.O_NONBLOCK, 0);
});
