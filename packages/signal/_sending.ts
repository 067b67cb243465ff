/** What sending to a process by number and by pidfd have in common. */

import { ERRNO, errnoError, type IpcError, LimitError } from "@ipc/core";
import { libc } from "./_libc.ts";
import { SI_QUEUE, siginfoLayout } from "./_abi.ts";
import { type SignalName, signalNumber } from "./names.ts";

/** How a signal is sent. */
export interface SendOptions {
  /** A number from −2,147,483,648 to 2,147,483,647 that goes with it, as sigqueue(3) sends it; none unless told. */
  value?: number | undefined;
}

/** Checks what is to be sent. */
export function toSend(signal: SignalName, { value }: SendOptions): {
  number: number;
  value: number | undefined;
} {
  const number = signalNumber(signal);
  if (signal === "SIGUSR1") {
    throw new TypeError("Cannot send SIGUSR1: a Deno opens its inspector to every local user; use SIGUSR2");
  }
  if (value !== undefined && value !== (value | 0)) {
    throw new RangeError(`Cannot send the value ${value}: it is an integer of 32 bits`);
  }
  return { number, value };
}

/** A `siginfo_t` as sigqueue(3) makes it. */
export function siginfo(number: number, value: number): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(siginfoLayout.size));
  view.setInt32(siginfoLayout.signo, number, true);
  view.setInt32(siginfoLayout.code, SI_QUEUE, true);
  view.setInt32(siginfoLayout.pid, Deno.pid, true);
  view.setUint32(siginfoLayout.uid, libc.getuid(), true);
  view.setInt32(siginfoLayout.value, value, true);
  return new Uint8Array(view.buffer);
}

/** The error of a signal that could not be sent. */
export function sendFailure(code: number, syscall: string, signal: string, target: string): IpcError {
  const action = `send ${signal} to ${target}`;
  if (code !== ERRNO.EAGAIN) return errnoError(code, { syscall, action, target });
  return new LimitError(`Cannot ${action}: too many signals wait to be delivered`, {
    code: "EAGAIN",
    errno: code,
    syscall,
    target,
    hint: "raise the limit of waiting signals of this user (ulimit -i, RLIMIT_SIGPENDING)",
  });
}
