/** Every call into libc of everything that is waited for goes wrong in turn. */

import { assert, assertEquals } from "@std/assert";
import { ERRNO, IpcError } from "@ipc/core";
import { wordDiagnostics } from "@ipc/core/sys";
import { everyFault, leakCheck, trackLeaks } from "@ipc/core/testing";
import * as sync from "./mod.ts";
import { kinds } from "./testdata/kinds.ts";
import { CEILING, pause, until, withMemory } from "./testdata/memory.ts";

leakCheck();

const ERRNOS = [
  ERRNO.EINTR,
  ERRNO.EAGAIN,
  ERRNO.ENOMEM,
  ERRNO.EACCES,
  ERRNO.EMFILE,
  ERRNO.EIO,
  ERRNO.ETIMEDOUT,
];
/** The words in which those who sleep are counted, from the beginning of the memory. */
const COUNTS = [64 / 4 + 2, 128 / 4 + 2];

const WAKING = "who waits is let go on";

function descriptors(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

for (const [name, kind] of Object.entries(kinds)) {
  const operations: Record<
    string,
    (handle: { close(): void }, other: { close(): void }) => Promise<void> | void
  > = {
    [WAKING]: async (handle, other) => {
      const waiting = kind.wait(handle, { timeout: CEILING }).then(() => {}, (error) => error);
      await pause(2);
      let failed: unknown;
      try {
        kind.wake(other);
      } catch (error) {
        failed = error;
        // It was done, or not, and nobody was woken: who waits looks within a second, unless it is done again before.
        kind.wake(other);
      }
      failed = await waiting ?? failed;
      if (failed !== undefined) throw failed;
    },
    "a blocked call ends in time": (handle) => {
      try {
        kind.waitSync(handle, { timeout: 3 });
        throw new Error("Expected that nobody goes on");
      } catch (error) {
        if (!(error instanceof IpcError && error.code === "ETIMEDOUT")) throw error;
      }
    },
  };

  for (const [title, operate] of Object.entries(operations)) {
    Deno.test(`${name} under faults: ${title}`, () =>
      withMemory(async (memory) => {
        await trackLeaks();
        const before = descriptors();
        const report = await everyFault(async () => {
          const handle = kind.make(sync, memory);
          const other = kind.at(sync, memory);
          try {
            await operate(handle, other);
          } finally {
            handle.close();
            other.close();
          }
        }, {
          // Where waking fails a wait lasts a second.
          errnos: title === WAKING ? [ERRNO.EINTR] : ERRNOS,
          verify: async ({ error }) => {
            assert(error === undefined || error instanceof IpcError, String(error));
            await until(() => wordDiagnostics().poolThreads === 0, "a thread still waits");
            assertEquals(descriptors(), before);
            const words = new Int32Array(memory.buffer);
            // The second word of a mutex is its owner's.
            for (const count of name === "Condition" ? COUNTS.slice(1) : COUNTS.slice(0, 1)) {
              assertEquals(words[count], 0);
            }
          },
        });
        assert(report.faults > 0);
      }));
  }
}

Deno.test("SeqLock under faults: a write is done or not, and the next one is", () =>
  withMemory(async (memory) => {
    await trackLeaks();
    const before = descriptors();
    sync.SeqLock.initialize(memory, 0, { byteLength: 4 }).close();
    let last = 0;
    await everyFault(() => {
      using cell = sync.SeqLock.at(memory, 0, { byteLength: 4 });
      cell.write(new Uint8Array(4).fill(last + 1));
    }, {
      errnos: ERRNOS,
      verify: ({ error }) => {
        assert(error === undefined || error instanceof IpcError, String(error));
        using cell = sync.SeqLock.at(memory, 0, { byteLength: 4 });
        const next = error === undefined || cell.read()[0] !== last ? last + 1 : last;
        assertEquals(cell.read(), new Uint8Array(4).fill(next));
        cell.update(([byte]) => new Uint8Array(4).fill(byte! + 1), { timeout: CEILING });
        assertEquals(cell.read()[3], next + 1);
        last = next + 1;
        cell.close();
        assertEquals(descriptors(), before);
      },
    });
  }));
