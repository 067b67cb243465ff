import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  AlreadyExistsError,
  ERRNO,
  IpcError,
  NotFoundError,
  NotSupportedError,
  UntrustedError,
} from "@ipc/core";
import { cString, errno } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { libc } from "./_libc.ts";
import { mkfifo, unlink } from "./mod.ts";

leakCheck();

function inFolder(run: (folder: string) => void): void {
  const folder = Deno.makeTempDirSync();
  try {
    run(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** The errno that the kernel gives. */
function rawMkfifo(path: string, mode = 0o600): number {
  const name = cString(path);
  return libc.mkfifo(name, mode) === 0 ? 0 : errno();
}

function mode(path: string): number {
  return Deno.lstatSync(path).mode! & 0o7777;
}

Deno.test("FIFO-001: path exists, mkfifo: EEXIST, whatever it is", () =>
  inFolder((folder) => {
    Deno.writeTextFileSync(`${folder}/file`, "kept");
    Deno.symlinkSync("nowhere", `${folder}/link`);
    mkfifo(`${folder}/fifo`);
    for (const path of [folder, `${folder}/file`, `${folder}/link`, `${folder}/fifo`]) {
      assertEquals(rawMkfifo(path), ERRNO.EEXIST);
      const error = assertThrows(() => mkfifo(path), AlreadyExistsError, `Cannot create FIFO "${path}"`);
      assertEquals([error.code, error.syscall, error.target], ["EEXIST", "mkfifo", path]);
    }
    assertEquals(Deno.readTextFileSync(`${folder}/file`), "kept");
  }));

Deno.test("FIFO-002: parent missing or a file, mkfifo: ENOENT or ENOTDIR", () =>
  inFolder((folder) => {
    Deno.writeTextFileSync(`${folder}/file`, "");
    assertEquals(rawMkfifo(`${folder}/missing/fifo`), ERRNO.ENOENT);
    assertEquals(rawMkfifo(`${folder}/file/fifo`), ERRNO.ENOTDIR);
    assertThrows(() => mkfifo(`${folder}/missing/fifo`), NotFoundError);
    assertEquals(assertThrows(() => mkfifo(`${folder}/file/fifo`), IpcError).code, "ENOTDIR");
  }));

Deno.test("FIFO-003: a name of 256 bytes, mkfifo: ENAMETOOLONG", () =>
  inFolder((folder) => {
    const path = `${folder}/${"n".repeat(256)}`;
    assertEquals(rawMkfifo(path), ERRNO.ENAMETOOLONG);
    assertEquals(assertThrows(() => mkfifo(path), IpcError).code, "ENAMETOOLONG");
    mkfifo(`${folder}/${"n".repeat(255)}`);
  }));

Deno.test("FIFO-006: umask 022 and mode 0666: 0644 from the kernel, exactly 0666 from mkfifo", () =>
  inFolder((folder) => {
    const before = Deno.umask(0o022);
    try {
      assertEquals(rawMkfifo(`${folder}/raw`, 0o666), 0);
      assertEquals(mode(`${folder}/raw`), 0o644);
      mkfifo(`${folder}/fifo`, { mode: 0o666 });
      assertEquals(mode(`${folder}/fifo`), 0o666);
      assert(Deno.lstatSync(`${folder}/fifo`).isFifo);
    } finally {
      Deno.umask(before);
    }
  }));

Deno.test("mkfifo: the mode is exact under every umask, 0600 unless told", () =>
  inFolder((folder) => {
    const before = Deno.umask();
    try {
      for (const umask of [0, 0o022, 0o077, 0o777]) {
        Deno.umask(umask);
        for (const wanted of [undefined, 0o600, 0o620, 0o777, 0]) {
          const path = `${folder}/${umask}-${wanted}`;
          mkfifo(path, { mode: wanted });
          assertEquals(mode(path), wanted ?? 0o600);
        }
      }
    } finally {
      Deno.umask(before);
    }
  }));

Deno.test("mkfifo: a bad mode or name is an error before anything is made", () =>
  inFolder((folder) => {
    for (const mode of [-1, 0o1000, 0.5, NaN]) {
      assertThrows(() => mkfifo(`${folder}/fifo`, { mode }), RangeError, "a mode is 0 to 0o777");
    }
    assertThrows(() => mkfifo(`${folder}/fi\0fo`), TypeError);
    assertEquals([...Deno.readDirSync(folder)], []);
  }));

Deno.test("unlink: removes a FIFO, and nothing else", () =>
  inFolder((folder) => {
    const path = `${folder}/fifo`;
    mkfifo(path);
    Deno.writeTextFileSync(`${folder}/file`, "");
    Deno.symlinkSync(path, `${folder}/link`);
    assertThrows(() => unlink(`${folder}/file`), NotSupportedError, "it is a regular file, not a FIFO");
    assertThrows(() => unlink(folder), NotSupportedError, "it is a directory");
    assertThrows(() => unlink(`${folder}/link`), UntrustedError, "it is a symbolic link");
    unlink(path);
    assertThrows(() => unlink(path), NotFoundError, `Cannot remove FIFO "${path}"`);
    assertEquals([...Deno.readDirSync(folder)].length, 2);
  }));
