import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { AddressError, connect, formatAddress, listen, make, parseAddress, schemes, stat } from "./mod.ts";

Deno.test("parseAddress() takes an address apart and decodes it", () => {
  const address = parseAddress("fifo:/run/a%20b%3Fc%25/%C3%A4#d+e?framing=lines&allow-owner=1000");
  assertEquals(address.scheme, "fifo");
  assertEquals(address.target, "/run/a b?c%/ä#d+e");
  assertEquals({ ...address.params }, { framing: "lines", "allow-owner": "1000" });
  assertEquals(parseAddress("fifo:./in").target, "./in");
  assertEquals(parseAddress("fifo:in:out?").target, "in:out");
  assertEquals(parseAddress("stdio:").target, "");
  assertEquals({ ...parseAddress("stdio:?framing=n%75l").params }, { framing: "nul" });
});

const wrong: [address: string, reason: string][] = [
  ["", "it is empty; an address is like fifo:/path"],
  ["/run/in", 'it says no mechanism; for a FIFO write "fifo:/run/in"'],
  ["./in", 'it says no mechanism; for a FIFO write "fifo:./in"'],
  ["queue", "it says no mechanism; an address begins with fifo:, stdio:"],
  [":", "it says no mechanism; an address begins with fifo:, stdio:"],
  ["FIFO:/run/in", "it says no mechanism; an address begins with fifo:, stdio:"],
  ["pipe:/run/in", 'there is no mechanism "pipe"; there are fifo:, stdio:'],
  ["constructor:/a", 'there is no mechanism "constructor"; there are fifo:, stdio:'],
  ["fifo:", "it has no path"],
  ["fifo:?framing=raw", "it has no path"],
  ["fifo:/a%00b", "no name has a zero byte in it"],
  ["fifo:/a%zz", '"/a%zz" is not percent-encoded UTF-8; a percent sign is written %25'],
  ["fifo:/a%ff", '"/a%ff" is not percent-encoded UTF-8; a percent sign is written %25'],
  ["fifo:/a?frming=raw", '"fifo:" has no parameter "frming"; it has framing, allow-writers, allow-owner'],
  [
    "fifo:/a?constructor=x",
    '"fifo:" has no parameter "constructor"; it has framing, allow-writers, allow-owner',
  ],
  ["fifo:/a?framing=raw&framing=raw", '"framing" is given twice'],
  ["fifo:/a?framing", '"framing" is "", and must be one of length|lines|nul|content-length|raw'],
  ["fifo:/a?allow-writers=me", '"allow-writers" is "me", and must be one of group|all'],
  ["fifo:/a?allow-owner=root", '"allow-owner" is "root", and must be a user\'s number'],
  ["stdio:1", 'only parameters follow "stdio:"'],
];

for (const [address, reason] of wrong) {
  Deno.test(`parseAddress("${address}") says what is wrong`, () => {
    const error = assertThrows(() => parseAddress(address), AddressError);
    assert(error instanceof TypeError);
    assertEquals([error.message, error.address], [`Cannot read address "${address}": ${reason}`, address]);
  });
}

Deno.test("formatAddress() and parseAddress() are each other's opposite, for any path", () => {
  const path = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => !text.includes("\0"));
  const framing = fc.constantFrom("length", "lines", "nul", "content-length", "raw");
  fc.assert(fc.property(path, fc.option(framing), (path, framing) => {
    const params: Record<string, string> = framing === null ? {} : { framing };
    const address = parseAddress(formatAddress("fifo", path, params));
    assertEquals([address.target, { ...address.params }], [path, params]);
  }));
});

Deno.test("what a mechanism does not have is an AddressError that says so", async () => {
  const both = await assertRejects(() => connect(parseAddress("fifo:/a")), AddressError);
  assertEquals(
    both.message,
    'Cannot connect to "fifo:/a": a FIFO goes one way; give direction: "send" or "receive"',
  );
  await assertRejects(
    () => listen(parseAddress("stdio:")),
    AddressError,
    '"stdio:" has nothing to listen at',
  );
  await assertRejects(() => make("stdio:"), AddressError, 'Cannot create "stdio:"');
  await assertRejects(() => stat("stdio:"), AddressError, 'Cannot look at "stdio:"');
});

Deno.test("the types refuse a FIFO in both directions", () => {
  // Never called: it is the compiler that this is for.
  const _never = () => {
    // @ts-expect-error a FIFO goes one way
    connect("fifo:/run/in");
    // @ts-expect-error a FIFO goes one way
    listen("fifo:/run/in", { direction: "both" });
    connect("stdio:");
    connect("fifo:/run/in", { direction: "send" });
  };
});

Deno.test("schemes tells what help shows", () => {
  assertEquals(schemes.map(({ form }) => form), ["fifo:/path", "stdio:"]);
  assertEquals(schemes[0]!.params.framing, "length|lines|nul|content-length|raw");
});
