import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { ERRNO, IpcError } from "@ipc/core";
import { pageSize } from "@ipc/core/sys";
import { everyFault, leakCheck, withFault } from "@ipc/core/testing";
import { has } from "../core/testdata/child.ts";
import { answer } from "../core/testdata/process.ts";
import type { Advice } from "./file_window.ts";
import { MappedFile } from "./mapped_file.ts";
import { OwnFile } from "./testdata/own_file.ts";

leakCheck();

const MOD = JSON.stringify(new URL("mod.ts", import.meta.url).href);
const ADVICE: Advice[] = ["normal", "random", "sequential", "will-need", "dont-need"];

/** What /proc tells about the regions that map a file. */
function regions(path: string): string[] {
  return Deno.readTextFileSync("/proc/self/smaps").split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/).filter((region) =>
    region.split("\n")[0]!.endsWith(path)
  );
}

Deno.test("FileWindow.flush writes, all or whole pages of a range, now or soon", () => {
  using own = OwnFile.of(new Uint8Array(5 * pageSize()));
  using file = MappedFile.open(own.path, { offset: 100 });
  file.bytes.fill(1);
  const dirty = () => regions(own.path).join().match(/(Shared|Private)_Dirty: +[1-9]/) !== null;
  assertEquals(dirty(), true);
  file.flush({ async: true });
  file.flush({ range: { offset: 2 * pageSize() - 99, length: 1 } });
  file.flush({ range: { offset: 4 * pageSize() } });
  file.flush({ range: { length: 0 } });
  file.flush();
  assertEquals(dirty(), false);
});

Deno.test("FileWindow: a range outside is refused by every call, and so is writing what stays here", () => {
  using own = OwnFile.of(new Uint8Array(5000));
  using file = MappedFile.open(own.path);
  for (
    const range of [{ offset: -1 }, { offset: 5001 }, { length: 5001 }, { offset: 1, length: 5000 }, {
      offset: 0.5,
    }, { length: NaN }]
  ) {
    assertThrows(() => file.flush({ range }), RangeError, "the mapping has 5000 bytes");
    assertThrows(() => file.advise("random", range), RangeError);
    assertThrows(() => file.lock(range), RangeError);
    assertThrows(() => file.unlock(range), RangeError);
    assertThrows(() => file.resident(range), RangeError);
  }
  using copy = MappedFile.open(own.path, { access: "copy-on-write" });
  assertThrows(() => copy.flush(), TypeError, "it is mapped copy-on-write");
  assertThrows(() => copy.advise("dont-need"), TypeError, "it is mapped copy-on-write");
  assertThrows(() => file.advise("never" as Advice), TypeError, "there is no such advice");
  assertThrows(() => file.advise("toString" as Advice), TypeError);
});

Deno.test("FileWindow.advise never changes what is there", () => {
  using own = OwnFile.of(new Uint8Array(5 * pageSize()).fill(1));
  for (const access of ["read", "write", "copy-on-write"] as const) {
    using file = MappedFile.open(own.path, { access, offset: 7 });
    if (access !== "read") file.bytes[0] = 2;
    const expected = file.bytes[0];
    for (const advice of ADVICE) {
      if (access === "copy-on-write" && advice === "dont-need") continue;
      file.advise(advice);
      file.advise(advice, { offset: pageSize(), length: 10 });
      assertEquals([file.bytes[0], file.bytes[2 * pageSize()]], [expected, 1]);
    }
  }
});

/** An emulator of another processor keeps some advice to itself. */
function isEmulated(): boolean {
  const { stdout } = new Deno.Command("uname", { args: ["-m"] }).outputSync();
  return !new TextDecoder().decode(stdout).startsWith(Deno.build.arch);
}

Deno.test({
  name: "FileWindow.advise reaches the kernel",
  ignore: isEmulated(),
  fn: () => {
    using own = OwnFile.of("hello");
    using file = MappedFile.open(own.path);
    const flags = () => regions(own.path).map((region) => /^VmFlags:(.*)$/m.exec(region)?.[1]).join();
    file.advise("random");
    assert(flags().includes(" rr "), flags());
    file.advise("sequential");
    assert(flags().includes(" sr "), flags());
    file.advise("normal");
    assert(!/ [rs]r /.test(flags()), flags());
  },
});

Deno.test("FileWindow.resident: from nothing of a hole to all of what was touched", () => {
  using own = new OwnFile();
  const size = 10_000 * pageSize();
  using file = MappedFile.open(own.path, { create: true, size, reserve: "none" });
  assertEquals(file.resident(), 0);
  for (let page = 0; page < 25; page++) file.bytes[page * pageSize()] = 1;
  const touched = file.resident();
  assert(touched >= 0.0025 && touched < 0.5, `${touched}`);
  assertEquals(file.resident({ length: 25 * pageSize() }), 1);
  assertEquals(file.resident({ offset: 3, length: 1 }), 1);
  assertEquals(file.resident({ length: 0 }), 1);
  using large = MappedFile.open(own.path, { size: 2 ** 30, reserve: "none" });
  assert(large.resident() < 0.5, "asked in several calls");
});

Deno.test({
  name: "FileWindow.lock keeps pages in memory until unlock or close",
  ignore: Deno.build.os !== "linux",
  fn: () => {
    using own = OwnFile.of(new Uint8Array(10 * pageSize()));
    using file = MappedFile.open(own.path);
    const locked = () =>
      regions(own.path).reduce((sum, region) => sum + Number(/^Locked: +(\d+)/m.exec(region)?.[1] ?? 0), 0);
    const page = pageSize() / 1024;
    file.lock({ offset: pageSize() + 1, length: 1 });
    assertEquals(locked(), page);
    file.lock();
    assertEquals(locked(), 10 * page);
    file.unlock({ offset: 5 * pageSize(), length: pageSize() });
    assertEquals(locked(), 9 * page);
    file.unlock();
    assertEquals(locked(), 0);
  },
});

const privileged = Deno.build.os === "linux" && Deno.uid() === 0;
const withoutRight = privileged ? ["setpriv", "--inh-caps=-ipc_lock", "--bounding-set=-ipc_lock"] : [];

for (
  const [kibibytes, name, code] of [[64, "LimitError", "ENOMEM"], [0, "PermissionError", "EPERM"]] as const
) {
  Deno.test({
    name: `FileWindow.lock where a process may lock ${kibibytes} KiB: ${code}, and what to do`,
    ignore: privileged && !has("setpriv"),
    fn: async () => {
      using own = OwnFile.of(new Uint8Array(1_000_000));
      const source = `
        import { MappedFile } from ${MOD};
        using file = MappedFile.open("${own.path}");
        try { file.lock(); } catch (error) {
          console.log(JSON.stringify([error.name, error.code, error.syscall, error.target, error.hint]));
        }`;
      const before = ["sh", "-c", `ulimit -l ${kibibytes} && exec "$@"`, "sh", ...withoutRight];
      const hint = "raise the limit of locked memory (ulimit -l), or give the process CAP_IPC_LOCK";
      assertEquals(await answer(source, { before }), [name, code, "mlock", own.path, hint]);
    },
  });
}

Deno.test("FileWindow: what the kernel refuses is a typed error, and an interruption is not", async () => {
  using own = OwnFile.of(new Uint8Array(5000));
  using file = MappedFile.open(own.path);
  const report = await everyFault(() => {
    file.flush();
    file.advise("random");
    file.lock();
    file.unlock();
    file.resident();
  }, { errnos: [ERRNO.ENOMEM, ERRNO.EIO], symbols: ["msync", "madvise", "mlock", "munlock", "mincore"] });
  assertEquals(report, {
    faults: 10,
    errors: 10,
    hits: { msync: 2, madvise: 2, mlock: 2, munlock: 2, mincore: 2 },
  });
  const disk = await withFault({ nth: 1, symbols: "msync", errno: ERRNO.EIO }, () => file.flush());
  assertInstanceOf(disk.error, IpcError);
  assertEquals([disk.error.code, disk.error.target], ["EIO", own.path]);
  for (const [symbols, errno] of [["msync", ERRNO.EINTR], ["mincore", ERRNO.EAGAIN]] as const) {
    const run = await withFault({ nth: 1, symbols, errno }, () => {
      file.flush();
      return file.resident();
    });
    assertEquals([run.hit, run.error, typeof run.result], [symbols, undefined, "number"]);
  }
});
