/** Opens the ends that verbs use. */

import { type Address, connect, listen, schemes } from "@ipc/address";
import type { Receiver, Sender, WaitOptions } from "@ipc/core";
import { advice } from "./_address.ts";
import { about, tell } from "./_failure.ts";
import { type Output, print } from "./io.ts";
import { flag, type Option } from "./_options.ts";

/** `--listen`, the same for every verb that has it. */
export const listenOption: Option<boolean> = flag(
  "create what is missing (mode 0600), and remove it at the end",
);
/** `--follow`, the same for every verb that has it. */
export const followOption: Option<boolean> = flag(
  "go on when senders leave or messages are lost, until a signal",
);

const OR_LISTEN = "or here with --listen";

/** How a verb opens an end. */
export interface OpenOptions extends WaitOptions {
  /** Creates what is missing. */
  listen: boolean;
  /** Stays open when the last sender leaves. */
  follow?: boolean;
  /** Where to say at which port it listens, if that is one that was free, and what is wrong with one of many. */
  stderr: Output;
}

/** Opens the sending end of an address. */
export function openSender(
  address: Address,
  { listen: create, timeout, signal, stderr }: OpenOptions,
): Promise<Sender> {
  const options = { direction: "send", timeout, signal } as const;
  return about(
    address.text,
    () =>
      create
        ? listen(address, {
          ...options,
          removeOnClose: !keepsMessages(address),
          onListen: announce(address, stderr),
        })
        : connect(address, options),
    advice(address, OR_LISTEN),
  );
}

/** Whether what was sent would be lost if the object were removed now. */
function keepsMessages(address: Address): boolean {
  return schemes.some(({ scheme, keepsMessages }) => scheme === address.scheme && keepsMessages);
}

/** Opens the receiving end of an address. */
export function openReceiver(address: Address, options: OpenOptions): Promise<Receiver> {
  const { listen: create, follow = false, timeout, signal, stderr } = options;
  const common = { direction: "receive", timeout, signal } as const;
  return about(
    address.text,
    () => {
      return create
        ? listen(address, {
          ...common,
          removeOnClose: true,
          onListen: announce(address, stderr),
          onLost: (error) => void tell(stderr, `${address.text}: a connection was ended`, error),
        })
        : connect(address, { ...common, keepOpen: follow });
    },
    advice(address, OR_LISTEN),
  );
}

/** Says which port was free, where the address asks for one that is. */
function announce({ target }: Address, stderr: Output): ((address: string) => void) | undefined {
  if (!/:0(?=[/?]|$)/.test(target)) return undefined;
  return (address) => void print(stderr, `ipc: listening at ${address}\n`);
}
