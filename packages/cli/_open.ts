/** Opens the ends that verbs use, and says what to do where there is nothing to open. */

import { connect, listen } from "@ipc/address";
import { NotFoundError, type Receiver, type Sender, UntrustedError, type WaitOptions } from "@ipc/core";
import { about, type Hint } from "./_failure.ts";
import { flag, type Option } from "./_options.ts";

/** `--listen`, the same for every verb that has it. */
export const listenOption: Option<boolean> = flag(
  "create what is missing (mode 0600), and remove it at the end",
);
/** `--follow`, the same for every verb that has it. */
export const followOption: Option<boolean> = flag("go on when the last sender leaves, until a signal");

/** How a verb opens an end. */
export interface OpenOptions extends WaitOptions {
  /** Creates what is missing. */
  listen: boolean;
  /** Stays open when the last sender leaves. */
  follow?: boolean;
}

/** Opens the sending end of an address. */
export function openSender(
  address: string,
  { listen: create, timeout, signal }: OpenOptions,
): Promise<Sender> {
  const options = { direction: "send", timeout, signal } as const;
  return about(
    address,
    () => create ? listen(address, { ...options, removeOnClose: true }) : connect(address, options),
    advice(address),
  );
}

/** Opens the receiving end of an address. */
export function openReceiver(address: string, options: OpenOptions): Promise<Receiver> {
  const { listen: create, follow = false, timeout, signal } = options;
  const common = { direction: "receive", timeout, signal } as const;
  return about(
    address,
    () => {
      return create
        ? listen(address, { ...common, removeOnClose: true })
        : connect(address, { ...common, keepOpen: follow });
    },
    advice(address),
  );
}

function advice(address: string): Hint {
  return (error) => {
    if (error instanceof NotFoundError) {
      return `create it with "ipc make ${address.split("?")[0]}", or here with --listen`;
    }
    if (error instanceof UntrustedError) {
      return "if that is meant, say so in the address: ?allow-owner=UID, ?allow-writers=group or all";
    }
    return undefined;
  };
}
