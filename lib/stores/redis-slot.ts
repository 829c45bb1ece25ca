const SLOTS = 16_384

/** The slot of a key in a Redis Cluster: CRC16 (XMODEM) of what stands in its first braces, of all of it where there is nothing. */
export function slotOf(key: string): number {
  const start = key.indexOf('{')
  const end = start === -1 ? -1 : key.indexOf('}', start + 1)
  const hashed = Buffer.from(end > start + 1 ? key.slice(start + 1, end) : key)
  let crc = 0
  for (const byte of hashed) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021
    crc &= 0xffff
  }
  return crc % SLOTS
}
