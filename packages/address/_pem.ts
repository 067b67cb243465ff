/** Certificates and keys, in the files that an address names. */

import type { Address } from "./address.ts";
import { AddressError } from "./address_error.ts";
import { asked } from "./_asked.ts";

/** What an address says of certificates, in PEM. */
export interface Pem {
  /** This end's certificate, with its key. */
  readonly own?: { readonly cert: string; readonly key: string };
  /** Who signs the certificates that are trusted at the other end, besides those whom the runtime trusts. */
  readonly ca?: string;
}

/** Reads the files of an address; one that listens has to have a certificate. */
export function readPem(
  { text, params: { cert, key, ca } }: Address,
  action: "connect to" | "listen at",
): Pem {
  if ((cert === undefined) !== (key === undefined)) {
    throw new AddressError(text, "cert and key belong together", action);
  }
  if (action === "listen at" && cert === undefined) {
    throw new AddressError(text, "who listens has a certificate and its key: cert=FILE&key=FILE", action);
  }
  return {
    ...cert !== undefined && { own: { cert: read("certificate", cert), key: read("key", key!) } },
    ...ca !== undefined && { ca: read("certificate", ca) },
  };
}

function read(object: string, path: string): string {
  return asked("open", ["read", object], path, () => Deno.readTextFileSync(path));
}
