import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { ERRNO, IPC_PRIVATE, LimitError, PermissionError } from "@ipc/core";
import { leakCheck, withFault } from "@ipc/core/testing";
import { SharedMemory } from "./shared_memory.ts";
import { answer, canBeAnother, withLimits } from "./testdata/process.ts";

leakCheck();

const MOD = JSON.stringify(new URL("mod.ts", import.meta.url).href);

Deno.test({
  name: "SharedMemory: lock and unlock are seen by everybody",
  ignore: !canBeAnother,
  fn: () => {
    using memory = SharedMemory.create(IPC_PRIVATE, 100, { removeOnClose: true });
    using other = SharedMemory.open({ id: memory.id });
    memory.lock();
    assertEquals(other.stat().locked, true);
    other.unlock();
    assertEquals(memory.stat().locked, false);
  },
});

for (
  const [kibibytes, name, code] of [[64, "LimitError", "ENOMEM"], [0, "PermissionError", "EPERM"]] as const
) {
  Deno.test({
    name: `SharedMemory: lock where a process may lock ${kibibytes} KiB: ${code}, and what to do`,
    ignore: !canBeAnother,
    fn: async () => {
      const helpers = JSON.stringify(new URL("testdata/process.ts", import.meta.url).href);
      const source = `
        import { IPC_PRIVATE, SharedMemory } from ${MOD};
        import { asUser, NOBODY } from ${helpers};
        asUser(NOBODY, () => {
          using memory = SharedMemory.create(IPC_PRIVATE, 1e6, { removeOnClose: true });
          try { memory.lock(); } catch (error) {
            console.log(JSON.stringify([error.name, error.code, error.syscall, error.hint]));
          }
        });`;
      const before = ["sh", "-c", `ulimit -l ${kibibytes} && exec "$@"`, "sh"];
      const hint = "raise the limit of locked memory (ulimit -l), or give the process CAP_IPC_LOCK";
      assertEquals(await answer(source, { before }), [name, code, "shmctl", hint]);
    },
  });
}

const few = withLimits({ shmmni: "3", shmmax: "1000000", shmall: "300" });
Deno.test({
  name: "SharedMemory: SHMMAX, SHMALL and SHMMNI are LimitErrors with a hint",
  ignore: few === undefined,
  fn: async () => {
    const source = `
      import { IPC_PRIVATE, SharedMemory, stableKey } from ${MOD};
      const told = [];
      const attempt = (create) => {
        try { return create(); } catch ({ name, code, syscall, hint }) {
          told.push([name, code, syscall, /raise/.test(hint)]);
        }
      };
      attempt(() => SharedMemory.create(IPC_PRIVATE, 1_000_001));
      attempt(() => SharedMemory.openOrCreate(stableKey("limit"), 1_000_001));
      using first = SharedMemory.create(IPC_PRIVATE, 1_000_000);
      attempt(() => SharedMemory.create(IPC_PRIVATE, 1_000_000));
      using second = SharedMemory.create(IPC_PRIVATE, 1);
      using third = SharedMemory.create(IPC_PRIVATE, 1);
      attempt(() => SharedMemory.create(IPC_PRIVATE, 1));
      console.log(JSON.stringify(told));`;
    assertEquals(await answer(source, { before: few }), [
      ["LimitError", "EINVAL", "shmget", true],
      ["LimitError", "EINVAL", "shmget", true],
      ["LimitError", "ENOSPC", "shmget", true],
      ["LimitError", "ENOSPC", "shmget", true],
    ]);
  },
});

Deno.test("SharedMemory: noReserve makes what ordinary memory makes", () => {
  using memory = SharedMemory.create(IPC_PRIVATE, 10_000, { noReserve: true, removeOnClose: true });
  memory.bytes[9_999] = 1;
  assertEquals([memory.byteLength, memory.read(9_998, 2)], [10_000, new Uint8Array([0, 1])]);
});

const SETTING = "/proc/sys/vm/nr_hugepages";

/** Whether no huge pages are set aside. */
function noHugePages(): boolean {
  try {
    return ["", "_overcommit"].every((which) => {
      return Deno.readTextFileSync(`/proc/sys/vm/nr${which}_hugepages`).trim() === "0";
    });
  } catch {
    return false;
  }
}

/** Whether this process may set some aside, and give them back. */
function maySetAside(): boolean {
  try {
    Deno.openSync(SETTING, { write: true }).close();
    return noHugePages();
  } catch {
    return false;
  }
}

Deno.test({
  name: "SharedMemory: hugePages where there are none: LimitError, and what to do",
  ignore: !noHugePages() || Deno.uid() !== 0,
  fn: async () => {
    const create = () => SharedMemory.create(IPC_PRIVATE, 100, { hugePages: true });
    const error = assertThrows(create, LimitError);
    assertEquals(error.code, "ENOMEM");
    assertEquals(error.hint, "set huge pages aside (sysctl vm.nr_hugepages), or do without them");
    const run = await withFault({ nth: 1, symbols: "shmget", errno: ERRNO.EPERM }, create);
    assertInstanceOf(run.error, PermissionError);
    assertEquals(run.error.hint, "huge pages need CAP_IPC_LOCK, or the group of sysctl vm.hugetlb_shm_group");
  },
});

Deno.test({
  name: "SharedMemory: hugePages are exact in size, and let go of also when the buffer was transferred away",
  ignore: !maySetAside(),
  fn: async () => {
    await Deno.writeTextFile(SETTING, "1");
    try {
      const source = `
        import { IPC_PRIVATE, SharedMemory } from ${MOD};
        const free = () => Number(/HugePages_Free: *(\\d+)/.exec(Deno.readTextFileSync("/proc/meminfo"))[1]);
        const told = [free()];
        const memory = SharedMemory.create(IPC_PRIVATE, 100, { hugePages: true, removeOnLastDetach: true });
        memory.bytes[99] = 1;
        told.push(free(), memory.byteLength, memory.stat().size);
        const moved = new Uint8Array(memory.buffer.transfer());
        memory.close();
        moved.fill(1);
        console.log(JSON.stringify([...told, free()]));`;
      assertEquals(await answer(source), [1, 0, 100, 100, 1]);
    } finally {
      await Deno.writeTextFile(SETTING, "0");
    }
  },
});
