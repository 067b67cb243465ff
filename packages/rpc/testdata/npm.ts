/** Programs of Node that other people wrote: npm puts them into a folder of their own, and only tests use them. */

import { has } from "../../core/testdata/child.ts";

export interface Installed extends AsyncDisposable {
  /** The folder that has `node_modules`. */
  readonly folder: string;
  /** Starts a program of this folder's neighbours with what was installed in its reach. */
  node(script: string, ...args: string[]): Deno.ChildProcess;
}

/** Installs packages, each with its version; `undefined` where they cannot be had. */
export async function install(...packages: string[]): Promise<Installed | undefined> {
  if (!has("node") || !has("npm")) return undefined;
  const folder = await Deno.makeTempDir();
  const remove = () => Deno.remove(folder, { recursive: true });
  try {
    const { success } = await new Deno.Command("npm", {
      args: [
        "install",
        "--prefix",
        folder,
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--prefer-offline",
        ...packages,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
      signal: AbortSignal.timeout(90_000),
    }).output();
    if (success) {
      return {
        folder,
        node: (script, ...args) =>
          new Deno.Command("node", {
            args: [new URL(script, import.meta.url).pathname, ...args],
            env: { NODE_PATH: `${folder}/node_modules` },
            stdin: "piped",
            stdout: "piped",
          }).spawn(),
        [Symbol.asyncDispose]: remove,
      };
    }
  } catch {
    // It took too long.
  }
  await remove();
  return undefined;
}

/** The first line that a program prints: it is ready, and where. */
export async function firstLine(process: Deno.ChildProcess): Promise<string> {
  const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) break;
    text += value;
  }
  void (async () => {
    while (!(await reader.read()).done);
  })();
  return text.split("\n")[0]!;
}

/** All that a program prints until its end, as JSON. */
export async function result(process: Deno.ChildProcess): Promise<unknown> {
  process.stdin.close();
  const { stdout, code } = await process.output();
  const text = new TextDecoder().decode(stdout);
  if (code !== 0) throw new Error(`The program ended with status ${code}: ${text}`);
  return JSON.parse(text);
}
