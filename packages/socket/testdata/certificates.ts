/** Certificates for a test, made by openssl. */

/** What {@linkcode makeCertificates} makes, in PEM. */
export interface Certificates {
  ca: string;
  server: { cert: string; key: string };
  client: { cert: string; key: string };
  /** Of a client with two common names. */
  twofold: { cert: string; key: string };
  /** Of a client whose signer nobody knows. */
  stranger: { cert: string; key: string };
}

/** A root, and certificates for `localhost` that it has signed. */
export async function makeCertificates(): Promise<Certificates> {
  const folder = await Deno.makeTempDir();
  const read = (name: string) => Deno.readTextFile(`${folder}/${name}`);
  const pair = async (name: string) => ({ cert: await read(`${name}.pem`), key: await read(`${name}.key`) });
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  try {
    for (const root of ["ca", "other"]) {
      await openssl(
        folder,
        "req",
        "-x509",
        ...newKey,
        "-keyout",
        `${root}.key`,
        "-out",
        `${root}.pem`,
        "-days",
        "2",
        "-subj",
        `/CN=${root}`,
      );
    }
    await Deno.writeTextFile(`${folder}/names`, "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
    const made = [
      ["server", "ca", "/CN=server"],
      ["client", "ca", "/CN=client"],
      ["twofold", "ca", "/CN=stranger/CN=client"],
      ["stranger", "other", "/CN=stranger"],
    ] as const;
    for (const [name, root, subject] of made) {
      await openssl(
        folder,
        "req",
        ...newKey,
        "-keyout",
        `${name}.key`,
        "-out",
        `${name}.csr`,
        "-subj",
        subject,
      );
      await openssl(
        folder,
        "x509",
        "-req",
        "-in",
        `${name}.csr`,
        "-CA",
        `${root}.pem`,
        "-CAkey",
        `${root}.key`,
        "-CAcreateserial",
        "-days",
        "2",
        "-extfile",
        "names",
        "-out",
        `${name}.pem`,
      );
    }
    return {
      ca: await read("ca.pem"),
      server: await pair("server"),
      client: await pair("client"),
      twofold: await pair("twofold"),
      stranger: await pair("stranger"),
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function openssl(cwd: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args, cwd }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}
