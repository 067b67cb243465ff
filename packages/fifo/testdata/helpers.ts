/** What several tests use. */

import { assert } from "@std/assert";
import type { Bytes } from "@ipc/core";
import { abi, cString } from "@ipc/core/sys";
import { libc } from "../_libc.ts";
import { mkfifo } from "../mod.ts";

/** Generous: nothing that works takes so long. */
export const CEILING = { timeout: 60_000 };

/** Text as bytes. */
export function bytes(text: string): Bytes {
  return new TextEncoder().encode(text);
}

/** Bytes as text. */
export function textOf(data: Uint8Array | undefined): string | undefined {
  return data && new TextDecoder().decode(data);
}

/** Runs a test with a FIFO in a folder of its own. */
export async function inFolder(test: (path: string, folder: string) => Promise<void> | void): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    mkfifo(`${folder}/fifo`);
    await test(`${folder}/fifo`, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What the kernel itself says to an open that does not wait. */
export function rawOpen(path: string, access: number): number {
  const name = cString(path);
  return libc.open(name, access | abi.O_NONBLOCK | abi.O_CLOEXEC, 0);
}

/** Runs a shell command with the path as `$1`. */
export async function shell(command: string, path: string): Promise<string> {
  const { success, stdout } = await new Deno.Command("sh", {
    args: ["-c", command, "sh", path],
    stdin: "null",
    stderr: "inherit",
  }).output();
  assert(success);
  return new TextDecoder().decode(stdout);
}

/** Runs a script in a process of its own. */
export async function run(
  script: URL,
  flags: string[],
  args: string[],
): Promise<{ code: number; output: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-lock", "--no-prompt", ...flags, script.pathname, ...args],
    stdin: "null",
  }).output();
  return { code, output: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}
