/** Everyone whose calls are measured: ours over each mechanism, and other ways. */

import { install, type Installed } from "../../rpc/testdata/npm.ts";
import { findProgram } from "../peers.ts";
import { links } from "./ours.ts";

/** One who calls, and is answered by a process that it starts. */
export interface Contestant {
  /** What it goes by in the report. */
  readonly subject: string;
  /** Whether it is ours. */
  readonly ours: boolean;
  readonly command: string;
  readonly args: readonly string[];
}

/** Another way. A new one adds a row. */
interface Rival {
  readonly subject: string;
  /** Its program under `peers`. */
  readonly program: string;
  /** What npm has to install for it. */
  readonly package?: string;
  readonly args: readonly string[];
}

const VSCODE = { program: "vscode.mjs", package: "vscode-jsonrpc@10.0.0" };
const JAYSON = { program: "jayson.mjs", package: "jayson@5.0.0" };
const GRPC = { program: "grpc.mjs", package: "@grpc/grpc-js@1.14.7" };

const rivals: readonly Rival[] = [
  { subject: "Node IPC, map of ids", program: "node_ipc.mjs", args: [] },
  { subject: "vscode-jsonrpc, stdio", ...VSCODE, args: ["stdio"] },
  { subject: "vscode-jsonrpc, unix", ...VSCODE, args: ["unix"] },
  { subject: "jayson, tcp", ...JAYSON, args: ["tcp"] },
  { subject: "jayson, HTTP", ...JAYSON, args: ["http"] },
  { subject: "gRPC, unix", ...GRPC, args: ["unix"] },
  { subject: "gRPC, tcp", ...GRPC, args: ["tcp"] },
];

/** Those that can be measured here. */
export interface Field extends AsyncDisposable {
  readonly contestants: readonly Contestant[];
  /** Programs and packages with their versions. */
  readonly versions: Readonly<Record<string, string>>;
  /** Who is missing, and why. */
  readonly missing: readonly string[];
}

const file = (name: string) => new URL(name, import.meta.url).pathname;

/** Puts together those whose names have one of these words in them, or all. What npm installs is there until the end. */
export async function invite(words: readonly string[]): Promise<Field> {
  const wanted = ({ subject }: { subject: string }) =>
    words.length === 0 || words.some((word) => subject.toLowerCase().includes(word.toLowerCase()));
  const contestants: Contestant[] = links.map(({ name }) => ownContestant(name)).filter(wanted);
  const versions: Record<string, string> = { Deno: Deno.version.deno };
  const missing: string[] = [];
  const chosen = rivals.filter(wanted);
  // Deno puts itself into PATH as `node` where there is none.
  const node = await findProgram("node", ["-p", "process.versions.deno ? '' : process.version"]);
  if (node === undefined) {
    missing.push(...chosen.map(({ subject }) => `${subject}: there is no node`));
    return { contestants, versions, missing, [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  versions.Node = node.version;
  const packages = [...new Set(chosen.map((rival) => rival.package).filter((name) => name !== undefined))];
  const found = await Promise.all(packages.map(async (name) => [name, await install(name)] as const));
  const installed = new Map<string, Installed | undefined>(found);
  for (const { subject, program, package: name, args } of chosen) {
    const folder = name === undefined ? undefined : installed.get(name)?.folder;
    if (name !== undefined && folder === undefined) missing.push(`${subject}: npm cannot install ${name}`);
    else {
      const own = folder === undefined ? args : [folder, ...args];
      contestants.push({
        subject,
        ours: false,
        command: node.path,
        args: [file(`peers/${program}`), ...own],
      });
    }
  }
  for (const [name, folder] of found) {
    if (folder === undefined) continue;
    const at = name.lastIndexOf("@");
    versions[name.slice(0, at)] = name.slice(at + 1);
  }
  return {
    contestants,
    versions,
    missing,
    [Symbol.asyncDispose]: async () => {
      for (const [, folder] of found) await folder?.[Symbol.asyncDispose]();
    },
  };
}

function ownContestant(name: string): Contestant {
  const command = Deno.execPath();
  const source = ["run", "--quiet", "-A", file("ours.ts")];
  const args = [...source, "near", name, command, ...source, "far", name];
  return { subject: name, ours: true, command, args };
}
