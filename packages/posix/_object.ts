/** What the kinds of object have in common: modes, names that go away again, and whom to trust. */

import { AlreadyExistsError, NotFoundError, UntrustedError } from "@ipc/core";
import { errno, failure, type FileStatus, stat } from "@ipc/core/sys";
import { libc } from "./_libc.ts";
import type { NamedObject } from "./name.ts";

/** Whose objects are trusted, besides those of the effective user of this process. */
export interface TrustOptions {
  /** Users by number who may own the object, or `"any"` for whoever it is. */
  allowOwner?: number | readonly number[] | "any" | undefined;
}

/** How an object is created. */
export interface CreateOptions {
  /** Permission bits, exact whatever the umask, at most 0o777; 0o600 unless told. */
  mode?: number | undefined;
  /** Whether closing the handle that created the object also unlinks its name; false unless told. */
  unlinkOnClose?: boolean | undefined;
}

/** So often is an object looked for that others create and unlink all the time. */
const MOST_ATTEMPTS = 100;

/** The mode that was asked for. */
export function checkMode(object: NamedObject, mode = 0o600): number {
  if (Number.isInteger(mode) && mode >= 0 && mode <= 0o777) return mode;
  throw new RangeError(`Cannot give ${object} the mode ${mode}: it has nine bits, such as 0o600`);
}

/** Gives what was just created its exact mode: at no moment was it wider. */
export function setExactMode(fd: number, mode: number, object: NamedObject, name: string): void {
  if (stat(fd).mode === mode || libc.fchmod(fd, mode) !== -1) return;
  throw failure(errno(), "fchmod", `set the mode of ${object}`, name);
}

/** What somebody else has put there before us could be read and written by them. */
export function checkOwner(
  { uid, mode }: FileStatus,
  object: NamedObject,
  name: string,
  { allowOwner }: TrustOptions,
): void {
  const users = typeof allowOwner === "number" ? [allowOwner] : allowOwner ?? [];
  if (users !== "any" && !(Array.isArray(users) && users.every(Number.isInteger))) {
    throw new TypeError(
      `Cannot open ${object} "${name}": allowOwner is a user's number, several of them, or "any"`,
    );
  }
  if (users === "any" || uid === libc.geteuid() || users.includes(uid)) return;
  throw new UntrustedError(
    `Cannot open ${object} "${name}": it belongs to uid ${uid}, and has mode ${
      mode.toString(8).padStart(4, "0")
    }`,
    { target: name, hint: "allow that user with allowOwner, if it is who you expect" },
  );
}

/** Opens what exists, or creates it, whatever others do meanwhile. */
export function openElseCreate<T>(open: () => T, create: () => T): T {
  for (let attempt = 1;; attempt++) {
    try {
      return open();
    } catch (error) {
      if (!(error instanceof NotFoundError) || attempt === MOST_ATTEMPTS) throw error;
    }
    try {
      return create();
    } catch (error) {
      if (!(error instanceof AlreadyExistsError) || attempt === MOST_ATTEMPTS) throw error;
    }
  }
}
