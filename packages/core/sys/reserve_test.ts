import { assert, assertEquals } from "@std/assert";
import { ERRNO } from "../errno.ts";
import { leakCheck, withFault } from "../testing/mod.ts";
import { runChild } from "../testdata/child.ts";
import { libc } from "./_libc.ts";
import { abi } from "./abi.ts";
import { cString } from "./c_string.ts";
import { check } from "./errno.ts";
import { OwnedFd, stat } from "./fd.ts";
import { reserve } from "./reserve.ts";

leakCheck();

/** Runs a test with a new file, on the disk as a rule. */
async function withFile(test: (fd: number) => unknown): Promise<void> {
  const path = Deno.makeTempFileSync();
  try {
    using file = new OwnedFd(check(libc.open(cString(path), abi.O_RDWR | abi.O_CLOEXEC, 0), "open", "open"));
    await test(file.fd);
  } finally {
    Deno.removeSync(path);
  }
}

Deno.test("reserve sets room aside and makes the file longer, never shorter", () =>
  withFile((fd) => {
    assertEquals(reserve(fd, 0, 100_000), 0);
    assertEquals(stat(fd).size, 100_000);
    assert(stat(fd).allocated >= 100_000);
    assertEquals(reserve(fd, 0, 10), 0);
    assertEquals(stat(fd).size, 100_000);
    assertEquals(reserve(fd, 9_999_999, 1), 0);
    assertEquals(stat(fd).size, 10_000_000);
    assert(stat(fd).allocated < 1_000_000, "a hole takes no room");
  }));

Deno.test("reserve returns the errno, but for an interruption", () =>
  withFile(async (fd) => {
    assertEquals(reserve(-1, 0, 1), ERRNO.EBADF);
    assertEquals(reserve(fd, 0, 0), ERRNO.EINVAL);
    const run = await withFault({ nth: 1, symbols: "posix_fallocate", errno: ERRNO.EINTR }, () => {
      return reserve(fd, 0, 100);
    });
    assertEquals([run.hit, run.result], ["posix_fallocate", 0]);
  }));

Deno.test("reserve refuses memory that the machine does not have, and nobody is killed for it", async () => {
  // Should it not, this process is the first to go.
  const source = `
    import { libc } from "@core/sys/_libc.ts";
    import { abi, bind, cString, reserve, stat } from "@core/sys/mod.ts";
    Deno.writeTextFileSync("/proc/self/oom_score_adj", "1000");
    const { create } = bind({ create: { name: "syscall", parameters: ["i64", "buffer", "u32"], result: "i32" } });
    const fd = create(BigInt(abi.SYS_memfd_create), cString("test"), abi.MFD_CLOEXEC);
    const available = Number(/MemAvailable: *(\\d+)/.exec(Deno.readTextFileSync("/proc/meminfo"))[1]) * 1024;
    const swap = Number(/SwapFree: *(\\d+)/.exec(Deno.readTextFileSync("/proc/meminfo"))[1]) * 1024;
    console.log(reserve(fd, 0, 2 ** 46), reserve(fd, 0, 2 * (available + swap)), stat(fd).size);
    console.log(reserve(fd, 0, 100_000), reserve(fd, 2 ** 46, 1), stat(fd).allocated < 1_000_000);
    console.log(reserve(fd, 0, 2 ** 46), reserve(fd, 0, 200_000));
  `;
  const { stdout, stderr, code } = await runChild(source);
  assertEquals([stdout, stderr, code], ["12 12 0\n0 0 true\n12 0\n", "", 0]);
});
