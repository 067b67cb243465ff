/** From the kernel's structs to status objects. */

import type { Key } from "@ipc/core";
import { constants, ipcPerm, msqidDs, semidDs, shmidDs } from "./_abi.ts";
import type { MessageQueueStatus, SemaphoreSetStatus, SharedMemoryStatus, SystemVStatus } from "./status.ts";

/** Reads a `struct msqid_ds`. */
export function readQueueStatus(id: number, from: DataView): MessageQueueStatus {
  return {
    ...readCommon(id, from, msqidDs.ctime),
    messages: count(from, msqidDs.qnum),
    bytes: count(from, msqidDs.cbytes),
    maxBytes: count(from, msqidDs.qbytes),
    lastSendPid: from.getInt32(msqidDs.lspid, true),
    lastReceivePid: from.getInt32(msqidDs.lrpid, true),
    lastSendTime: time(from, msqidDs.stime),
    lastReceiveTime: time(from, msqidDs.rtime),
  };
}

/** Reads a `struct semid_ds`. */
export function readSetStatus(id: number, from: DataView): SemaphoreSetStatus {
  return {
    ...readCommon(id, from, semidDs.ctime),
    semaphores: count(from, semidDs.nsems),
    lastOperationTime: time(from, semidDs.otime),
  };
}

/** Reads a `struct shmid_ds`. */
export function readMemoryStatus(id: number, from: DataView): SharedMemoryStatus {
  const mode = from.getUint32(ipcPerm.mode, true);
  return {
    ...readCommon(id, from, shmidDs.ctime),
    size: count(from, shmidDs.segsz),
    attachCount: count(from, shmidDs.nattch),
    creatorPid: from.getInt32(shmidDs.cpid, true),
    lastPid: from.getInt32(shmidDs.lpid, true),
    lastAttachTime: time(from, shmidDs.atime),
    lastDetachTime: time(from, shmidDs.dtime),
    removalPending: (mode & constants.SHM_DEST) !== 0,
    locked: (mode & constants.SHM_LOCKED) !== 0,
  };
}

function readCommon(id: number, from: DataView, ctime: number): SystemVStatus {
  return {
    id,
    key: from.getInt32(ipcPerm.key, true) as Key,
    uid: from.getUint32(ipcPerm.uid, true),
    gid: from.getUint32(ipcPerm.gid, true),
    creatorUid: from.getUint32(ipcPerm.cuid, true),
    creatorGid: from.getUint32(ipcPerm.cgid, true),
    mode: from.getUint32(ipcPerm.mode, true) & 0o777,
    changeTime: new Date(count(from, ctime) * 1000),
  };
}

function time(from: DataView, offset: number): Date | undefined {
  const seconds = count(from, offset);
  return seconds === 0 ? undefined : new Date(seconds * 1000);
}

function count(from: DataView, offset: number): number {
  return Number(from.getBigInt64(offset, true));
}
