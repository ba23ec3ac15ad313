const BASE32 = '0123456789abcdefghjkmnpqrstvwxyz'

/** 55 bits of a text as 11 characters of base32: tells texts apart, on every machine alike. Keeps nothing secret. */
export function textHash(text: string): string {
  let a = 0xdeadbeef
  let b = 0x41c6ce57
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    a = Math.imul(a ^ unit, 2654435761)
    b = Math.imul(b ^ unit, 1597334677)
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909)
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909)
  return base32(a >>> 0, 6) + base32(b >>> 0, 5)
}

function base32(value: number, length: number): string {
  let text = ''
  let rest = value
  for (let i = 0; i < length; i++) {
    text += BASE32[rest & 31]
    rest >>>= 5
  }
  return text
}
