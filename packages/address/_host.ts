/** Hosts and ports, as addresses of the network write them. */

import type { Address } from "./address.ts";
import { AddressError } from "./address_error.ts";

/** One end of a connection, or where datagrams arrive. */
export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/** Takes `host:port` or `[host]:port` apart. */
export function readHost(target: string): HostAndPort {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]*)):(\d+)$/.exec(target)!;
  return { host: bracketed ?? plain!, port: Number(port) };
}

/** The opposite of {@linkcode readHost}. */
export function writeHost({ host, port }: HostAndPort): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Throws unless there can be somebody at that port. */
export function checkPort({ text, target }: Address): void {
  if (readHost(target).port === 0) {
    throw new AddressError(text, "port 0 is one that is free, to listen at", "connect to");
  }
}
