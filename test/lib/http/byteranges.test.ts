import { expect } from 'chai'
import fc from 'fast-check'
import { boundaryFor, multipartByteranges } from '../../../lib/http/byteranges.ts'

describe('multipartByteranges', () => {
  const body = Buffer.from('0123456789A')
  const ranges = [
    { start: 4, end: 5 },
    { start: 0, end: 1 },
  ]

  it('writes each part with its type and its place in the whole (RNG-11)', () => {
    const message = multipartByteranges({ body, ranges, contentType: 'text/plain; charset=utf-8', boundary: 'q7' })
    expect(message.contentType).to.equal('multipart/byteranges; boundary=q7')
    expect(message.body.toString('latin1').split('\r\n')).to.deep.equal([
      '--q7',
      'Content-Type: text/plain; charset=utf-8',
      'Content-Range: bytes 4-5/11',
      '',
      '45',
      '--q7',
      'Content-Type: text/plain; charset=utf-8',
      'Content-Range: bytes 0-1/11',
      '',
      '01',
      '--q7--',
      '',
    ])
  })

  it('leaves the type out where the whole has none (RNG-11)', () => {
    const message = multipartByteranges({ body, ranges, contentType: undefined, boundary: 'q7' })
    expect(message.body.toString('latin1')).to.equal(
      '--q7\r\nContent-Range: bytes 4-5/11\r\n\r\n45\r\n--q7\r\nContent-Range: bytes 0-1/11\r\n\r\n01\r\n--q7--\r\n',
    )
  })

  it('writes the type byte for byte', () => {
    const message = multipartByteranges({ body, ranges, contentType: 'text/plain; title="\u00e9"', boundary: 'q7' })
    expect(message.body.includes(Buffer.from([0x22, 0xe9, 0x22]))).to.equal(true)
  })

  it('carries any bytes unchanged', () => {
    const boundary = 'b'.repeat(32)
    const bytes = fc.uint8Array({ minLength: 4, maxLength: 60 })
    fc.assert(
      fc.property(bytes, fc.nat(1_000), (octets, seed) => {
        const whole = Buffer.from(octets)
        const middle = 1 + (seed % (whole.length - 2))
        const wanted = [
          { start: middle, end: whole.length - 1 },
          { start: 0, end: middle - 1 },
        ]
        const message = multipartByteranges({ body: whole, ranges: wanted, contentType: undefined, boundary })
        const [preamble, tail, start, end] = message.body.toString('latin1').split(`--${boundary}`)
        const content = (part: string | undefined): string => part?.slice(part.indexOf('\r\n\r\n') + 4, -2) ?? ''
        expect([preamble, end]).to.deep.equal(['', '--\r\n'])
        expect(Buffer.from(content(start) + content(tail), 'latin1').equals(whole)).to.equal(true)
      }),
    )
  })
})

describe('boundaryFor', () => {
  const filled = (byte: number) => (size: number) => Buffer.alloc(size, byte)

  it('is a token that needs no quotes, of at most 70 characters (RNG-11)', () => {
    const sizes: number[] = []
    const boundary = boundaryFor(Buffer.from('body'), (size) => {
      sizes.push(size)
      return Buffer.alloc(size, 0xfe)
    })
    expect(boundary).to.equal('fe'.repeat(16))
    expect(sizes).to.deep.equal([16])
  })

  it('is another one where the first occurs in the body (RNG-11)', () => {
    let attempt = 0
    const body = Buffer.from(`before${'00'.repeat(16)}after`)
    expect(boundaryFor(body, (size) => filled(attempt++)(size))).to.equal('01'.repeat(16))
  })

  it('gives up after a few attempts', () => {
    let attempts = 0
    const boundary = boundaryFor(Buffer.from('ab'.repeat(40)), (size) => {
      attempts++
      return Buffer.alloc(size, 0xab)
    })
    expect(boundary).to.equal(undefined)
    expect(attempts).to.be.within(2, 10)
  })
})
