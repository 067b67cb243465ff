/** Structs at random, and values for them. */

import * as fc from "fast-check";
import * as own from "../mod.ts";

/** A field, and what values it takes. */
export interface Sample {
  readonly type: own.FieldType;
  readonly value: fc.Arbitrary<unknown>;
  readonly atomic: boolean;
}

const integers: Record<string, fc.Arbitrary<unknown>> = {
  i8: fc.integer({ min: -128, max: 127 }),
  u8: fc.integer({ min: 0, max: 255 }),
  i16: fc.integer({ min: -32768, max: 32767 }),
  u16: fc.integer({ min: 0, max: 65535 }),
  i32: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  u32: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  i64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  u64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
};

const scalars: readonly Sample[] = [
  ...Object.entries(integers).flatMap(([name, value]): Sample[] => {
    const key = name as keyof own.AtomicTypes;
    return [{ type: own[key], value, atomic: false }, { type: own.atomic[key], value, atomic: true }];
  }),
  { type: own.f32, value: fc.float(), atomic: false },
  { type: own.f64, value: fc.double(), atomic: false },
  { type: own.bool, value: fc.boolean(), atomic: false },
];

const lengths = fc.integer({ min: 1, max: 9 });

const texts = lengths.chain((length) =>
  fc.constantFrom<Sample>(
    {
      type: own.bytes(length),
      value: fc.uint8Array({ minLength: length, maxLength: length }),
      atomic: false,
    },
    { type: own.utf8(length), value: textOf(length), atomic: false },
    {
      type: own.chars(length),
      value: textOf(length - 1).filter((text) => !text.includes("\0")),
      atomic: false,
    },
  )
);

function textOf(room: number): fc.Arbitrary<string> {
  const fits = (text: string) => new TextEncoder().encode(text).length <= room;
  return fc.string({ unit: "binary", maxLength: room }).filter(fits);
}

/** A struct, and what values it takes. */
export interface Schema extends Sample {
  readonly type: own.StructType;
}

/** A field of any kind. */
function sample(depth: number): fc.Arbitrary<Sample> {
  const plain = fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...scalars) }, {
    weight: 1,
    arbitrary: texts,
  });
  if (depth === 0) return plain;
  const arrays = fc.tuple(fc.oneof(plain, schema(depth - 1), sample(depth - 1)), lengths).map((
    [{ type, value, atomic }, length],
  ) => ({
    type: own.array(type, length),
    value: fc.array(value, { minLength: length, maxLength: length }),
    atomic,
  }));
  return fc.oneof({ weight: 6, arbitrary: plain }, { weight: 1, arbitrary: arrays }, {
    weight: 1,
    arbitrary: schema(depth - 1),
  });
}

/** A struct of such fields: at their natural places, packed, or some of them farther on. */
export function schema(depth = 2): fc.Arbitrary<Schema> {
  return fc.tuple(
    fc.array(sample(depth), { minLength: 1, maxLength: 7 }),
    fc.boolean(),
    fc.array(fc.nat(40), { minLength: 7, maxLength: 7 }),
  )
    .map(([samples, wished, gaps]) => {
      const atomic = samples.some(({ atomic }) => atomic);
      const packed = wished && !atomic;
      const fields: Record<string, own.FieldType | own.Placed> = {};
      const values: Record<string, fc.Arbitrary<unknown>> = {};
      let end = 0;
      for (const [index, { type, value }] of samples.entries()) {
        const name = `f${index}`;
        const gap = gaps[index]!;
        const align = packed ? 1 : type.align;
        const natural = Math.ceil(end / align) * align;
        const offset = gap < 30 ? natural : natural + align * (gap - 29);
        fields[name] = gap < 30 ? type : own.at(offset, type);
        end = offset + type.byteLength;
        values[name] = value;
      }
      return {
        type: own.struct(fields, { packed }) as own.StructType,
        value: fc.record(values, { noNullPrototype: true }),
        atomic,
      };
    });
}
