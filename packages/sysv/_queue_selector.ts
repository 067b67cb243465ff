/** Which messages a receive wants, in words and in msgrcv(2)'s numbers. */

import { constants } from "./_abi.ts";

/**
 * Which messages a receive wants: of one type, of the lowest type up to a number, of any type but one, or any.
 *
 * @example
 * ```ts
 * import { IPC_PRIVATE, MessageQueue, type MessageSelector } from "@ipc/sysv";
 * import { assertEquals } from "@std/assert";
 *
 * const urgentFirst: MessageSelector = { atMost: 10 };
 * using queue = MessageQueue.create(IPC_PRIVATE, { removeOnClose: true });
 * for (const type of [10, 1, 11]) queue.sendSync(new Uint8Array(0), { type });
 * assertEquals(queue.receiveMessageSync(urgentFirst).type, 1);
 * ```
 */
export type MessageSelector =
  | { type?: undefined; atMost?: undefined; except?: undefined }
  | {
    /** Messages of this type only. */
    type: number;
    atMost?: undefined;
    except?: undefined;
  }
  | {
    type?: undefined;
    /** Messages of this type or a lower one, the lowest type first. */
    atMost: number;
    except?: undefined;
  }
  | {
    type?: undefined;
    atMost?: undefined;
    /** Messages of every type but this (MSG_EXCEPT). */
    except: number;
  };

/** What msgrcv(2) is told. */
export interface Wanted {
  /** 0: any; n: this type; -n: the lowest up to n. */
  readonly type: number;
  /** The same for the call. */
  readonly msgtyp: bigint;
  /** MSG_EXCEPT, or none. */
  readonly flags: number;
  /** The line of those who want the same: `undefined` for any message. */
  readonly line: number | bigint | undefined;
}

/** Any message. */
export const ANY: Wanted = { type: 0, msgtyp: 0n, flags: 0, line: undefined };

/** What a selector means, checked. */
export function wantedBy({ type, atMost, except }: MessageSelector): Wanted {
  const given = type ?? atMost ?? except;
  if (given === undefined) return ANY;
  if (Number(type !== undefined) + Number(atMost !== undefined) + Number(except !== undefined) > 1) {
    throw new TypeError("Cannot receive: of type, atMost and except there is one at most");
  }
  checkType(given, "receive");
  const number = atMost === undefined ? given : -given;
  const msgtyp = BigInt(number);
  return except === undefined
    ? { type: number, msgtyp, flags: 0, line: number }
    : { type: number, msgtyp, flags: constants.MSG_EXCEPT, line: msgtyp };
}

/** What the receives of a line want. */
export function wantedIn(line: Wanted["line"]): Wanted {
  return line === undefined
    ? ANY
    : typeof line === "bigint"
    ? wantedBy({ except: Number(line) })
    : wantedBy(line > 0 ? { type: line } : { atMost: -line });
}

/** Whether a message of this type is wanted. */
export function matches({ type: wanted, flags }: Wanted, type: number): boolean {
  if (flags !== 0) return type !== wanted;
  return wanted === 0 || (wanted > 0 ? type === wanted : type <= -wanted);
}

/** A type as a message can have it. */
export function checkType(type: number, verb: string): void {
  if (Number.isSafeInteger(type) && type >= 1) return;
  throw new RangeError(`Cannot ${verb} a message of type ${type}: a type is an integer from 1`);
}
