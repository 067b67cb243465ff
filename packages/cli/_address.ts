/** Addresses as verbs are given them, and what to do where there is nothing, or something that is not trusted. */

import { type Address, formatAddress, parseAddress, type Scheme, schemes } from "@ipc/address";
import { IpcError, NotFoundError, UntrustedError } from "@ipc/core";
import { AddressFailure, type Hint, UsageError } from "./_failure.ts";

/** Reads an address. */
export function readAddress(text: string): Address {
  try {
    return parseAddress(text);
  } catch (error) {
    throw new AddressFailure(text, error);
  }
}

/** What is known of its mechanism. */
export function schemeOf({ scheme }: Address): Scheme {
  return schemes.find((known) => known.scheme === scheme)!;
}

/** The address with a parameter that an option stands for; `what` is missing where the mechanism has none such. */
export function withParam(
  address: Address,
  option: string,
  [name, value]: readonly [name: string, value: number | undefined],
  what: string,
): Address {
  if (value === undefined) return address;
  if (schemeOf(address).params[name] === undefined) throw new UsageError(`${address.text} has no ${what}`);
  if (name in address.params) throw new UsageError(`the address says ?${name}=; leave out --${option}`);
  const { text, scheme, target, params } = address;
  try {
    return { ...parseAddress(formatAddress(scheme, target, { ...params, [name]: String(value) })), text };
  } catch (error) {
    throw new AddressFailure(text, error);
  }
}

/** What to do about errors with an object; `orElse` where there is another way to create it. */
export function advice(address: Address, orElse?: string): Hint {
  return (error) => {
    const refused = error instanceof IpcError && error.code === "ECONNREFUSED";
    if (error instanceof NotFoundError || refused) {
      if (!schemeOf(address).hasObjects) return orElse && `nobody listens there; do it with --listen`;
      const proj = address.params.proj === undefined ? "" : `?proj=${address.params.proj}`;
      const create = `create it with "ipc make ${address.text.split("?")[0]}${proj}"`;
      return orElse === undefined ? create : `${create}, ${orElse}`;
    }
    if (error instanceof UntrustedError) {
      const allow = Object.entries(schemeOf(address).params)
        .filter(([name]) => name.startsWith("allow-"))
        .map(([name, values]) => `?${name}=${values.replaceAll("|", " or ")}`);
      return `if that is meant, say so in the address: ${allow.join(", ")}`;
    }
    return undefined;
  };
}
