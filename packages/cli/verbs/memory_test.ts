import { assertEquals } from "@std/assert";
import { openMemory } from "@ipc/address";
import { ipc, made, shell } from "../_testing.ts";

Deno.test("what write has put into memory, read finds there, byte for byte", async () => {
  await using memory = await made("sysv-shm", { size: 3_000_001 });
  const bytes = new Uint8Array(3_000_001).map((_, index) => index * 31 + (index >> 8));
  const written = await ipc(["write", memory.address], bytes);
  assertEquals([written.code, written.stdout, written.stderr], [0, "", ""]);
  assertEquals((await ipc(["read", memory.address])).bytes, bytes);
  using seen = await openMemory(memory.address);
  assertEquals(seen.read(1_000_000, 100), bytes.subarray(1_000_000, 1_000_100));
});

Deno.test("--offset and --length are a part of it, and the rest stays as it is", async () => {
  await using memory = await made("sysv-shm", { size: 20 });
  await ipc(["write", memory.address], "01234567890123456789");
  assertEquals((await ipc(["write", memory.address, "--offset", "5", "--length", "3"], "abc")).code, 0);
  assertEquals((await ipc(["write", memory.address, "--offset", "19"], "z")).code, 0);
  assertEquals((await ipc(["read", memory.address])).stdout, "01234abc89012345678z");
  assertEquals((await ipc(["read", memory.address, "--offset", "4", "--length", "4"])).stdout, "4abc");
  assertEquals((await ipc(["read", memory.address, "--offset", "18"])).stdout, "8z");
  assertEquals((await ipc(["read", memory.address, "--offset", "20"])).stdout, "");
});

Deno.test("nothing is written or printed that does not fit", async () => {
  await using memory = await made("sysv-shm", { size: 8 });
  await ipc(["write", memory.address], "12345678");
  const failures: [args: string[], input: string | null, reason: string][] = [
    [["write"], "123456789", "standard input has more than 8 bytes"],
    [["write", "--offset", "6"], "abc", "standard input has more than 2 bytes"],
    [["write", "--length", "1"], "ab", "standard input has more than 1 byte"],
    [["write", "--offset", "9"], "", "it has 8 bytes, not 9"],
    [["read", "--offset", "1K"], null, "it has 8 bytes, not 1,024"],
    [["read", "--offset", "4", "--length", "5"], null, "it has 8 bytes, not 9"],
  ];
  for (const [[verb, ...options], input, reason] of failures) {
    const { code, stdout, stderr } = await ipc([verb!, memory.address, ...options], input);
    assertEquals([code, stdout, stderr], [1, "", `ipc: ${verb} ${memory.address}: ${reason}\n`]);
  }
  assertEquals((await ipc(["read", memory.address])).stdout, "12345678");
});

Deno.test("a reader that leaves ends read quietly", async () => {
  await using memory = await made("sysv-shm", { size: 8_000_000 });
  const { stdout, stderr } = await shell(
    `{ ipc read ${memory.address}; echo "status $?" >&2; } | head -c 3 | od -An -c`,
  );
  assertEquals([stdout.trim(), stderr], ["\\0  \\0  \\0", "status 0\n"]);
});
