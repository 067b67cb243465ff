/** A certificate for this machine, made by itself and valid for a day: what two processes need to try TLS out. */

import { generateKeyPairSync, randomBytes, sign } from "node:crypto";

const DAY = 24 * 60 * 60 * 1000;
const [INTEGER, BIT_STRING, OCTET_STRING, OID, UTF8, TIME] = [0x02, 0x03, 0x04, 0x06, 0x0c, 0x17];
const [SEQUENCE, SET] = [0x30, 0x31];
const VERSION = 0xa0;
const EXTENSIONS = 0xa3;
const IP_ADDRESS = 0x87;

const ECDSA_WITH_SHA256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const COMMON_NAME = [0x55, 0x04, 0x03];
const SUBJECT_ALT_NAME = [0x55, 0x1d, 0x11];

/** Makes a certificate for 127.0.0.1 and its key, in PEM. */
export function makeCertificate(): { cert: string; key: string } {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const algorithm = der(SEQUENCE, der(OID, ECDSA_WITH_SHA256));
  const name = der(
    SEQUENCE,
    der(SET, der(SEQUENCE, der(OID, COMMON_NAME), der(UTF8, new TextEncoder().encode("ipc demo")))),
  );
  const names = der(SEQUENCE, der(IP_ADDRESS, [127, 0, 0, 1]));
  const signed = der(
    SEQUENCE,
    der(VERSION, der(INTEGER, [2])),
    der(INTEGER, [1], randomBytes(15)),
    algorithm,
    name,
    der(SEQUENCE, time(Date.now() - DAY), time(Date.now() + DAY)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    der(
      EXTENSIONS,
      der(SEQUENCE, der(SEQUENCE, der(OID, SUBJECT_ALT_NAME), der(OCTET_STRING, names))),
    ),
  );
  const signature = sign("sha256", signed, privateKey);
  const certificate = der(SEQUENCE, signed, algorithm, der(BIT_STRING, [0], signature));
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${certificate.toBase64()}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
  };
}

/** A value of ASN.1 in DER. */
function der(tag: number, ...parts: readonly ArrayLike<number>[]): Uint8Array {
  const body = parts.flatMap((part) => Array.from(part));
  const length = body.length < 0x80
    ? [body.length]
    : body.length < 0x100
    ? [0x81, body.length]
    : [0x82, body.length >> 8, body.length & 0xff];
  return Uint8Array.from([tag, ...length, ...body]);
}

function time(milliseconds: number): Uint8Array {
  const text = `${new Date(milliseconds).toISOString().slice(2, 19).replaceAll(/\D/g, "")}Z`;
  return der(TIME, new TextEncoder().encode(text));
}
