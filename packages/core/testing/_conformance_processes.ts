/** Promise 4 across processes: what keeps one alive, and what lets it exit. */

import { type Check, expect, type Trial } from "./_trial.ts";

/** The checks that need a process of their own. */
export const processes: readonly Check[] = [
  { promise: 4, title: "an open but idle channel lets the process exit", run: idle, applies: hasScript },
  { promise: 4, title: "a pending wait keeps the process alive", run: pending, applies: hasScript },
  { promise: 4, title: "closing lets the process exit", run: closed, applies: hasScript },
  { promise: 4, title: "aborting the last wait lets the process exit", run: aborted, applies: hasScript },
];

function hasScript(options: { childScript?: unknown }): boolean {
  return options.childScript !== undefined;
}

/** The status of a child that something else had to end: an unref'd timer does so while a wait goes on. */
const STILL_ALIVE = 7;
const ALARM = `Deno.unrefTimer(setTimeout(() => Deno.exit(${STILL_ALIVE}), 300));`;

/** A new process needs a while to start, on a busy machine a long one. */
const CEILINGS = 15;

async function idle(trial: Trial): Promise<void> {
  await exits(trial, "", 0, "an idle channel");
  await exits(trial, "await sender.send(new Uint8Array(8)); await receiver.receive();", 0, "a used channel");
}

async function pending(trial: Trial): Promise<void> {
  await exits(trial, `${ALARM} receiver.receive();`, STILL_ALIVE, "a pending receive");
  await exits(trial, `${ALARM} receiver[Symbol.asyncIterator]().next();`, STILL_ALIVE, "a pending iteration");
}

async function closed(trial: Trial): Promise<void> {
  const close = "receiver.close(); sender.close(); await cleanup?.();";
  await exits(
    trial,
    `receiver.receive(); setTimeout(async () => { ${close} }, 20);`,
    0,
    "a receive that ended",
  );
}

async function aborted(trial: Trial): Promise<void> {
  const receive = "receiver.receive({ signal: AbortSignal.timeout(20) }).catch(() => {});";
  await exits(trial, receive, 0, "an aborted receive");
  await exits(trial, "receiver.receive({ timeout: 20 }).catch(() => {});", 0, "a receive that timed out");
}

/** Runs `body` over a fresh pair in a new process and expects its exit status. */
async function exits(trial: Trial, body: string, status: number, what: string): Promise<void> {
  const { module, export: name = "open", args = [] } = trial.childScript!;
  const program = `
    const { [${JSON.stringify(name)}]: open } = await import(${JSON.stringify(String(module))});
    const { sender, receiver, cleanup } = await open();
    ${body}`;
  const url = new URL(module);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-lock", ...args, program],
    // Where Deno looks for the configuration that the module's imports need.
    ...(url.protocol === "file:" && { cwd: new URL(".", url) }),
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const output = child.output();
  try {
    const { code, stderr } = await trial.within(output, `${what}: the process goes on`, CEILINGS);
    const said = new TextDecoder().decode(stderr).trim();
    expect(code === status, `${what}: the process ended with status ${code}, not ${status}: ${said}`);
  } catch (error) {
    try {
      child.kill("SIGKILL");
    } catch { /* It ended. */ }
    await output;
    throw error;
  }
}
