/** The table of verbs: a line each, which help, spelling and calling all read. */

import type { Verb } from "./_verb.ts";

/** A verb before it is loaded. */
export interface VerbEntry {
  /** Its name. */
  readonly name: string;
  /** Its operands as help shows them: capitals, brackets where one may be left out, … where many may come. */
  readonly operands: string;
  /** What it does, on one line. */
  readonly summary: string;
  /** Loads it. */
  load(): Promise<{ readonly default: Verb }>;
}

/** Every verb, in the order of the help. */
export const verbs: readonly VerbEntry[] = [
  {
    name: "demo",
    operands: "[FILE] [MECHANISM…]",
    summary: "move a real file between processes, through every mechanism",
    load: () => import("./verbs/demo.ts"),
  },
  {
    name: "send",
    operands: "ADDRESS [MESSAGE…]",
    summary: "send messages: the arguments, or standard input",
    load: () => import("./verbs/send.ts"),
  },
  {
    name: "recv",
    operands: "ADDRESS",
    summary: "receive messages and print them",
    load: () => import("./verbs/recv.ts"),
  },
  {
    name: "bridge",
    operands: "FROM TO",
    summary: "carry messages from one address to another",
    load: () => import("./verbs/bridge.ts"),
  },
  {
    name: "make",
    operands: "ADDRESS",
    summary: "create the object of an address",
    load: () => import("./verbs/make.ts"),
  },
  {
    name: "rm",
    operands: "ADDRESS…",
    summary: "remove the objects of addresses",
    load: () => import("./verbs/rm.ts"),
  },
  {
    name: "ls",
    operands: "[KIND…]",
    summary: "list the objects of this machine",
    load: () => import("./verbs/ls.ts"),
  },
  {
    name: "stat",
    operands: "ADDRESS",
    summary: "show all there is to see of an object",
    load: () => import("./verbs/stat.ts"),
  },
  {
    name: "limits",
    operands: "",
    summary: "show the kernel's limits, and how much of them is used",
    load: () => import("./verbs/limits.ts"),
  },
  {
    name: "acquire",
    operands: "ADDRESS [N]",
    summary: "take units of a semaphore, waiting for them",
    load: () => import("./verbs/acquire.ts"),
  },
  {
    name: "release",
    operands: "ADDRESS [N]",
    summary: "give units to a semaphore",
    load: () => import("./verbs/release.ts"),
  },
  {
    name: "with",
    operands: "ADDRESS -- COMMAND…",
    summary: "run a command that holds one unit of a semaphore",
    load: () => import("./verbs/with.ts"),
  },
  {
    name: "read",
    operands: "ADDRESS",
    summary: "print the bytes of shared memory, or of a mapped file",
    load: () => import("./verbs/read.ts"),
  },
  {
    name: "write",
    operands: "ADDRESS",
    summary: "write standard input into shared memory, or a mapped file",
    load: () => import("./verbs/write.ts"),
  },
  {
    name: "call",
    operands: "ADDRESS METHOD [PARAMS]",
    summary: "call a method of a service, and print what it answers",
    load: () => import("./verbs/call.ts"),
  },
  {
    name: "serve",
    operands: "ADDRESS MODULE",
    summary: "serve the functions that a module exports",
    load: () => import("./verbs/serve.ts"),
  },
  {
    name: "signal",
    operands: "PID NAME [VALUE]",
    summary: "send a signal to a process, with a number if wanted",
    load: () => import("./verbs/signal.ts"),
  },
  {
    name: "bench",
    operands: "[MECHANISM…]",
    summary: "measure the mechanisms on this machine",
    load: () => import("./verbs/bench.ts"),
  },
];

/** How a verb is called. */
export function usage({ name, operands }: VerbEntry, options = ""): string {
  return ["ipc", name, options, operands].filter((word) => word !== "").join(" ");
}

/** Says what is wrong with the number of operands, by how the table writes them. */
export function checkOperands({ operands }: VerbEntry, given: readonly string[]): string | undefined {
  const words = operands.split(" ").filter((word) => word !== "" && word !== "--");
  const required = words.filter((word) => !word.startsWith("["));
  const missing = required[given.length];
  if (missing !== undefined) return `no ${missing.replace("…", "")} is given`;
  const most = words.some((word) => word.includes("…")) ? Infinity : words.length;
  if (given.length > most) return `"${given[most]}" is one too many`;
  return undefined;
}
