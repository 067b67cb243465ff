/** What goes beside the bytes of a message: credentials and descriptors; see unix(7) and cmsg(3). */

import { OwnedFd } from "@ipc/core/sys";
import { cmsghdr, constants, ucred } from "./_abi.ts";

const { SOL_SOCKET, SCM_RIGHTS } = constants;

/** The most descriptors of one message: SCM_MAX_FD of include/net/scm.h. */
export const MAX_HANDLES = 253;

/** Room for the sender's credentials, and not a byte more: descriptors that nobody asked for never get in. */
export const CREDENTIALS_ONLY = space(ucred.size);
/** Room for those and for as many descriptors as one message can have. */
export const WITH_HANDLES = CREDENTIALS_ONLY + space(4 * MAX_HANDLES);

/** Tells where the data of each control message of one type is in the first `length` bytes, and how long. */
export function eachControlMessage(
  control: DataView,
  length: number,
  type: number,
  visit: (at: number, length: number) => void,
): void {
  const { size, cmsg_len, cmsg_level, cmsg_type } = cmsghdr;
  for (let at = 0; at + size <= length;) {
    const whole = Math.max(size, Number(control.getBigUint64(at + cmsg_len, true)));
    const found = control.getInt32(at + cmsg_level, true) === SOL_SOCKET &&
      control.getInt32(at + cmsg_type, true) === type;
    if (found) visit(at + size, Math.min(whole, length - at) - size);
    at += align(whole);
  }
}

/** Takes over the descriptors that came. */
export function takeRights(control: DataView, length: number): OwnedFd[] {
  const handles: OwnedFd[] = [];
  eachControlMessage(control, length, SCM_RIGHTS, (start, size) => {
    for (let at = start; at + 4 <= start + size; at += 4) {
      handles.push(new OwnedFd(control.getInt32(at, true)));
    }
  });
  return handles;
}

/** A control message that carries descriptors. */
export function rightsOf(fds: readonly number[]): DataView<ArrayBuffer> {
  const control = new DataView(new ArrayBuffer(space(4 * fds.length)));
  control.setBigUint64(cmsghdr.cmsg_len, BigInt(cmsghdr.size + 4 * fds.length), true);
  control.setInt32(cmsghdr.cmsg_level, SOL_SOCKET, true);
  control.setInt32(cmsghdr.cmsg_type, SCM_RIGHTS, true);
  fds.forEach((fd, index) => control.setInt32(cmsghdr.size + 4 * index, fd, true));
  return control;
}

/** Closes what nobody is given. */
export function closeAll(handles: readonly OwnedFd[]): void {
  for (const handle of handles) handle.close();
}

/** CMSG_SPACE: a header and data, and what follows begins aligned. */
function space(size: number): number {
  return cmsghdr.size + align(size);
}

function align(size: number): number {
  return Math.ceil(size / cmsghdr.ALIGN) * cmsghdr.ALIGN;
}
