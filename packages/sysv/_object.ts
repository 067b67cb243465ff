/** What the three kinds of object have in common: getting hold of one, trusting it, and what their errors say. */

import {
  AlreadyExistsError,
  ERRNO,
  errnoError,
  formatKey,
  IPC_PRIVATE,
  type IpcError,
  type Key,
  NotFoundError,
  RemovedError,
  UntrustedError,
} from "@ipc/core";
import { errno } from "@ipc/core/sys";
import { constants, ipcPerm } from "./_abi.ts";
import type { Kind } from "./_kinds.ts";
import { libc } from "./_libc.ts";
import type { SystemVStatus } from "./status.ts";

/** An object by its id, as `ipcs` shows it. */
export interface ById {
  /** The id. */
  readonly id: number;
}

/** Whose objects are trusted, besides those that the effective user of this process owns and created. */
export interface TrustOptions {
  /** Users by number who may own and have created the object, or `"any"` for whoever it is. */
  allowOwner?: number | readonly number[] | "any" | undefined;
}

/** How an object is created. */
export interface CreateOptions {
  /** Permission bits, exact, at most 0o777; 0o600 unless told. */
  mode?: number | undefined;
  /** Whether closing the handle that created the object also removes it; false unless told. */
  removeOnClose?: boolean | undefined;
}

/** What may be changed of any object: IPC_SET. What is left out stays. */
export interface OwnershipChange {
  /** The owner's user id. */
  uid?: number | undefined;
  /** The owner's group id. */
  gid?: number | undefined;
  /** Permission bits, at most 0o777. */
  mode?: number | undefined;
}

/** What one kind of object adds to its creation. */
export interface CreateExtra {
  /** Flags besides IPC_CREAT and IPC_EXCL. */
  readonly flags?: number;
  /** By errno: what to do about a failure, where this kind knows better. */
  readonly hints?: Readonly<Record<number, string>>;
}

/** An object that was got hold of. */
export interface Found {
  readonly id: number;
  /** What errors call it: its key, or its id. */
  readonly name: string;
  readonly created: boolean;
}

/** So often is an object looked for that others create and remove all the time. */
const MOST_ATTEMPTS = 100;

/** Creates; throws where the key is taken. */
export function create(
  kind: Kind,
  key: Key,
  size: number,
  options: CreateOptions,
  { flags = 0, hints }: CreateExtra = {},
): Found {
  checkKey(kind, "create", key);
  const mode = checkMode(kind, options.mode);
  const id = kind.get(key, size, constants.IPC_CREAT | constants.IPC_EXCL | mode | flags);
  if (id === -1) throw getFailure(kind, "create", errno(), key, hints);
  return { id, name: key === IPC_PRIVATE ? `id ${id}` : formatKey(key), created: true };
}

/** Opens by key or id what exists, and checks whose it is. */
export function open(kind: Kind, target: Key | ById, options: TrustOptions): Found {
  if (typeof target === "object") {
    const { id } = target;
    if (!Number.isInteger(id) || id < 0 || id > 0x7fff_ffff) {
      throw new TypeError(`Cannot open ${kind.object} id ${id}: an id is an integer from 0`);
    }
    const found = { id, name: `id ${id}`, created: false };
    checkTrust(kind, found, options);
    return found;
  }
  checkKey(kind, "open", target);
  if (target === IPC_PRIVATE) {
    throw new TypeError(`Cannot open ${kind.object}: a private one is opened by its id`);
  }
  const id = kind.get(target, 0, 0);
  if (id === -1) throw getFailure(kind, "open", errno(), target);
  const found = { id, name: formatKey(target), created: false };
  checkTrust(kind, found, options);
  return found;
}

/** Opens what exists, or creates it. */
export function openOrCreate(
  kind: Kind,
  key: Key,
  size: number,
  options: CreateOptions & TrustOptions,
  extra?: CreateExtra,
): Found {
  if (key === IPC_PRIVATE) {
    throw new TypeError(`Cannot open ${kind.object}: without a key there is nothing to open, use create`);
  }
  checkMode(kind, options.mode);
  for (let attempt = 1;; attempt++) {
    try {
      return open(kind, key, options);
    } catch (error) {
      // Removed: between being found and being looked at.
      const missing = error instanceof NotFoundError || error instanceof RemovedError;
      if (!missing || attempt === MOST_ATTEMPTS) throw error;
    }
    try {
      return create(kind, key, size, options, extra);
    } catch (error) {
      if (!(error instanceof AlreadyExistsError) || attempt === MOST_ATTEMPTS) throw error;
    }
  }
}

/** Looks at an object: IPC_STAT, or where that is not permitted the command that everybody may use. */
export function status<S extends SystemVStatus>(kind: Kind<S>, found: Found): S {
  return kind.read(found.id, look(kind, found, "look at"));
}

function look(kind: Kind, { id, name }: Found, verb: string): DataView<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(kind.structSize));
  const bytes = new Uint8Array(view.buffer);
  if (kind.control(id, constants.IPC_STAT, bytes) === -1) {
    const code = errno();
    if (code !== ERRNO.EACCES || kind.control(id, kind.statAny, bytes) !== id) {
      throw objectFailure(kind, code, kind.controller, verb, id, name);
    }
  }
  return view;
}

/** Changes owner, group and mode, and what `more` writes into the struct: IPC_STAT and IPC_SET. */
export function change(
  kind: Kind,
  found: Found,
  { uid, gid, mode }: OwnershipChange,
  more?: (view: DataView) => void,
): void {
  const { id, name } = found;
  if (mode !== undefined) checkMode(kind, mode);
  for (const number of [uid, gid]) {
    if (number !== undefined && !(Number.isInteger(number) && number >= 0 && number < 2 ** 32 - 1)) {
      throw new RangeError(`Cannot change ${kind.object} ${name}: ${number} is no user or group`);
    }
  }
  const view = look(kind, found, "change");
  if (uid !== undefined) view.setUint32(ipcPerm.uid, uid, true);
  if (gid !== undefined) view.setUint32(ipcPerm.gid, gid, true);
  if (mode !== undefined) view.setUint32(ipcPerm.mode, mode, true);
  more?.(view);
  if (kind.control(id, constants.IPC_SET, new Uint8Array(view.buffer)) === -1) {
    throw objectFailure(kind, errno(), kind.controller, "change", id, name);
  }
}

/** Removes an object: IPC_RMID. */
export function remove(kind: Kind, { id, name }: Found): void {
  if (kind.control(id, constants.IPC_RMID, null) === -1) {
    throw objectFailure(kind, errno(), kind.controller, "remove", id, name);
  }
}

/** The error of a call on an object that was there: EINVAL then means that it was removed. */
export function objectFailure(
  kind: Kind,
  code: number,
  syscall: string,
  verb: string,
  id: number,
  name: string,
  hint?: string,
): IpcError {
  const what = `${verb} ${kind.object} ${name}`;
  if (code === ERRNO.EIDRM || code === ERRNO.EINVAL && isGone(kind, id)) {
    return new RemovedError(`Cannot ${what}: it was removed`, {
      errno: code,
      syscall,
      target: name,
      hint:
        "somebody removed it (ipcrm); systemd does so when a user logs out, unless logind.conf has RemoveIPC=no",
    });
  }
  return errnoError(code, { syscall, action: what, target: name, hint });
}

function isGone(kind: Kind, id: number): boolean {
  const gone = kind.control(id, constants.IPC_STAT, new Uint8Array(kind.structSize)) === -1;
  return gone && errno() !== ERRNO.EACCES;
}

function getFailure(
  kind: Kind,
  verb: string,
  code: number,
  key: Key,
  hints?: Readonly<Record<number, string>>,
): IpcError {
  const name = formatKey(key);
  return errnoError(code, {
    syscall: kind.getter,
    action: key === IPC_PRIVATE ? `${verb} ${kind.object}` : `${verb} ${kind.object} ${name}`,
    target: name,
    object: kind.object,
    hint: hints?.[code] ??
      (code === ERRNO.ENOSPC
        ? "remove what nobody uses (ipcs, ipcrm), or raise the kernel's limit (ipcs -l)"
        : undefined),
  });
}

/** What somebody else has put there before us could be read and written by them. */
function checkTrust(kind: Kind, found: Found, { allowOwner }: TrustOptions): void {
  if (allowOwner === "any") return;
  const users = typeof allowOwner === "number" ? [allowOwner] : allowOwner ?? [];
  if (!Array.isArray(users) || !users.every(Number.isInteger)) {
    throw new TypeError(
      `Cannot open ${kind.object} ${found.name}: allowOwner is a user's number, several of them, or "any"`,
    );
  }
  const { uid, creatorUid, mode } = status(kind, found);
  const allowed = [libc.geteuid(), ...users];
  if (allowed.includes(uid) && allowed.includes(creatorUid)) return;
  throw new UntrustedError(
    `Cannot open ${kind.object} ${found.name}: it belongs to uid ${uid}, was created by uid ${creatorUid}, and has mode ${
      mode.toString(8).padStart(4, "0")
    }`,
    { target: found.name, hint: "allow that user with allowOwner, if it is who you expect" },
  );
}

function checkKey(kind: Kind, verb: string, key: Key): void {
  if (typeof key === "number" && (key | 0) === key) return;
  throw new TypeError(`Cannot ${verb} ${kind.object} ${key}: a key is a number of 32 bits, see parseKey`);
}

function checkMode(kind: Kind, mode = 0o600): number {
  if (Number.isInteger(mode) && mode >= 0 && mode <= 0o777) return mode;
  throw new RangeError(`Cannot give ${kind.object} the mode ${mode}: it has nine bits, such as 0o600`);
}
