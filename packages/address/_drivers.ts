/** What the mechanisms do behind their addresses: one driver for each, in a file of its own. */

import type { Channel, Receiver, Sender } from "@ipc/core";
import type { Mapping } from "@ipc/core/sys";
import type { Address } from "./address.ts";
import { AddressError } from "./address_error.ts";
import type { ConnectOptions, Direction } from "./connect.ts";
import type { ListenOptions } from "./listen.ts";
import type { KernelLimit } from "./limits.ts";
import type { MakeOptions } from "./make.ts";
import type { OpenMemoryOptions } from "./memory.ts";
import type { Semaphore } from "./semaphore.ts";
import type { ObjectStatus } from "./stat.ts";
import { findMechanism } from "./_mechanisms.ts";
import * as fifo from "./_fifo.ts";
import * as file from "./_file.ts";
import * as mmap from "./_mmap.ts";
import * as mq from "./_mq.ts";
import * as sem from "./_sem.ts";
import * as shm from "./_shm.ts";
import * as stdio from "./_stdio.ts";
import * as sysvMsg from "./_sysv_msg.ts";
import * as sysvSem from "./_sysv_sem.ts";
import * as sysvShm from "./_sysv_shm.ts";
import * as tcp from "./_tcp.ts";
import * as tls from "./_tls.ts";
import * as udp from "./_udp.ts";
import * as unix from "./_unix.ts";
import * as unixDgram from "./_unix_dgram.ts";
import { listSockets } from "./_unix_status.ts";
import * as webSocket from "./_web_socket.ts";

/** An end, as its direction says. */
export type End = Sender | Receiver | Channel;

/** What can be done with an address. What a mechanism lacks is left out; asking for that is an `AddressError`. */
export interface Driver {
  /** Opens what exists. The direction is one that the mechanism has. */
  connect?(address: Address, direction: Direction, options: ConnectOptions): Promise<End>;
  /** Opens so that others can come and go, and creates what is missing. */
  listen?(address: Address, direction: Direction, options: ListenOptions): Promise<End>;
  /** Creates; throws `AlreadyExistsError` where it exists. Gives the address of what is made, where it is another. */
  make?(address: Address, options: MakeOptions): Promise<string | void>;
  /** Removes. */
  remove?(address: Address): Promise<void>;
  /** Looks and disturbs nobody. */
  stat?(address: Address): Promise<ObjectStatus>;
  /** Opens what is acquired and released. */
  openSemaphore?(address: Address): Promise<Semaphore>;
  /** Opens what is read and written. */
  openMemory?(address: Address, options: OpenMemoryOptions): Promise<Mapping>;
}

/** What can be asked about all objects of a mechanism together. */
export interface Survey {
  /** Every object, or where they lie in folders those below one. */
  list(folder: string): ObjectStatus[];
  /** The limits that the kernel has for them. */
  limits?(): KernelLimit[];
}

/** The driver of each scheme. */
const drivers: Readonly<Record<string, Driver>> = {
  fifo,
  file,
  unix,
  "unix-seqpacket": unix,
  "unix-dgram": unixDgram,
  tcp,
  tls,
  udp,
  ws: webSocket,
  wss: webSocket,
  stdio,
  "sysv-msg": sysvMsg,
  "sysv-sem": sysvSem,
  "sysv-shm": sysvShm,
  mq,
  sem,
  shm,
  mmap,
};

/** The mechanisms whose objects can be listed, by scheme, in the order of a list. */
export const surveys: Readonly<Record<string, Survey>> = {
  "sysv-msg": sysvMsg,
  "sysv-sem": sysvSem,
  "sysv-shm": sysvShm,
  mq,
  sem,
  shm,
  unix: { list: () => listSockets("unix") },
  "unix-seqpacket": { list: () => listSockets("unix-seqpacket") },
  "unix-dgram": { list: () => listSockets("unix-dgram") },
  tcp,
  udp,
  fifo,
  file,
  mmap,
};

const SAID: Readonly<Record<keyof Driver, string>> = {
  connect: "connect to",
  listen: "listen at",
  make: "create",
  remove: "remove",
  stat: "look at",
  openSemaphore: "acquire",
  openMemory: "attach",
};

/** What does this with an address; an `AddressError` where its mechanism cannot. */
export function actionOf<A extends keyof Driver>(
  { scheme, text }: Address,
  action: A,
  direction?: Direction,
): NonNullable<Driver[A]> {
  const does = drivers[scheme]?.[action];
  const said = SAID[action];
  const { directions, because = "it goes another way" } = findMechanism(scheme)!;
  if (does === undefined) {
    const channel = action === "connect" || action === "listen";
    throw new AddressError(
      text,
      channel && directions.length === 0 ? because : `"${scheme}:" has nothing to ${said}`,
      said,
    );
  }
  if (direction !== undefined && !directions.includes(direction)) {
    const others = directions.map((other) => `"${other}"`).join(" or ");
    throw new AddressError(text, `${because}; give direction: ${others}`, said);
  }
  return does;
}
