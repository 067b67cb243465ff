/** How a failure is told, and what exit status it gives. */

import { AddressError } from "@ipc/address/parse";
import { IpcError, TimeoutError } from "@ipc/core";
import { Interrupted, type Io, type Output, OutputClosed, print } from "./io.ts";
import { style } from "./_style.ts";

/** The exit statuses. */
export const STATUS = { done: 0, failed: 1, usage: 2, timedOut: 124, notRun: 126, noCommand: 127 } as const;

/** The command line is wrong. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Something did not come about, though nothing failed in the system; the message is all there is to say. */
export class Failed extends Error {
  override readonly name = "Failed";
  constructor(message: string, readonly status: number = STATUS.failed) {
    super(message);
  }
}

/** Something failed that has to do with one address. */
export class AddressFailure extends Error {
  override readonly name = "AddressFailure";
  constructor(readonly address: string, override readonly cause: unknown, readonly hint?: string) {
    super(address);
  }
}

/** Lets a failure say which address it is about. */
export async function about<T>(address: string, action: () => T | Promise<T>, hint?: Hint): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof OutputClosed || error instanceof AddressFailure || error instanceof UsageError) {
      throw error;
    }
    throw new AddressFailure(address, error, hint?.(error));
  }
}

/** What to do about an error; `undefined`: what the error itself says. */
export type Hint = (error: unknown) => string | undefined;

/** Tells a failure on standard error, where there is one to tell, and gives the exit status. */
export async function report(io: Io, verb: string | undefined, failure: unknown): Promise<number> {
  const { address, hint, cause: error } = failure instanceof AddressFailure
    ? failure
    : { address: undefined, hint: undefined, cause: failure };
  const { reason } = io.signal;
  if (io.signal.aborted && reason instanceof Interrupted) return reason.status;
  if (error instanceof OutputClosed) return STATUS.done;

  const where = [verb, address].filter((part) => part !== undefined).join(" ").replace(/:$/, "");
  await tell(io.stderr, where, error, hint);
  if (error instanceof UsageError || error instanceof AddressError) return STATUS.usage;
  if (error instanceof Failed) return error.status;
  return error instanceof TimeoutError ? STATUS.timedOut : STATUS.failed;
}

/** Tells what failed, and why. */
export async function tell(stderr: Output, where: string, error: unknown, hint?: string): Promise<void> {
  const { red, dim } = style(stderr);
  await print(stderr, `${red("ipc:")} ${where}${where === "" ? "" : ": "}${reasonOf(error)}\n`);
  const help = hint ?? (error instanceof IpcError ? error.hint : undefined);
  if (help !== undefined) await print(stderr, dim(`     ${help}`) + "\n");
}

/** Why it failed, without what the line says already. */
function reasonOf(error: unknown): string {
  if (error instanceof UsageError || error instanceof Failed) return error.message;
  if (error instanceof AddressError) return withoutAction(error.message);
  if (error instanceof IpcError) {
    return withoutAction(error.message) + (error.errno === undefined ? "" : ` (${error.code})`);
  }
  // A number out of range, a message that the framing cannot carry, or something that the system refuses to Deno.
  const refused = error instanceof RangeError && error.message.startsWith("Cannot ");
  if (refused || error instanceof TypeError && error.message.startsWith("Cannot send")) {
    return withoutAction(error.message);
  }
  if (error instanceof Error && error.name in Deno.errors) return error.message;
  return error instanceof Error ? error.stack ?? error.message : String(error);
}

/** `Cannot open FIFO "/run/in": no such FIFO` says at the end what is new. */
function withoutAction(message: string): string {
  const found = /^Cannot (?:[^":]|"(?:[^"\\]|\\.)*")*: (.+)$/s.exec(message);
  return found === null ? message : found[1]!;
}
