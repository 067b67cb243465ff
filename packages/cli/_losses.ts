/** Errors behind which receiving goes on. */

import {
  DecodeError,
  type IpcError,
  MessageTooLongError,
  type Receiver,
  RemovedError,
  TruncatedError,
} from "@ipc/core";
import { tell } from "./_failure.ts";
import type { Output } from "./io.ts";

const LOSSES = [DecodeError, MessageTooLongError, RemovedError, TruncatedError];

/**
 * For who follows: tells on standard error that messages were lost, such as damaged ones of a log, and throws any other
 * error.
 *
 * The same loss told again is none that receiving goes on behind, as where the log itself was removed.
 */
export function tellLosses(
  receiver: Receiver,
  address: string,
  stderr: Output,
): (error: unknown) => Promise<void> {
  let last: string | undefined;
  return async (error) => {
    const isLoss = LOSSES.some((type) => error instanceof type) && (error as IpcError).errno === undefined;
    if (!isLoss || receiver.ended || (error as IpcError).message === last) throw error;
    last = (error as IpcError).message;
    await tell(stderr, address, error);
  };
}
