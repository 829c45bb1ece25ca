import { expect } from 'chai'
import fc from 'fast-check'
import { parseVary, variantValues } from '../../../lib/http/vary.ts'

describe('parseVary', () => {
  it('gives lower-case, sorted, unique names of all lines', () => {
    expect(
      parseVary([
        ['Vary', 'Origin,, accept-encoding'],
        ['vary', 'ORIGIN'],
      ]),
    ).to.deep.equal(['accept-encoding', 'origin'])
    expect(parseVary([])).to.deep.equal([])
  })

  it('is * when a * stands anywhere, also on another line (VRY-5)', () => {
    expect(parseVary([['Vary', 'Foo, *']])).to.equal('*')
    expect(parseVary([['Vary', ', *']])).to.equal('*')
    expect(
      parseVary([
        ['Vary', 'Foo'],
        ['Vary', '*'],
      ]),
    ).to.equal('*')
  })

  it('is * when a member is no name, or there are more than 16 (VRY-6)', () => {
    expect(parseVary([['Vary', 'a b']])).to.equal('*')
    expect(parseVary([['Vary', '"a"']])).to.equal('*')
    const names = (count: number) => Array.from({ length: count }, (_, index) => `x${index}`).join()
    expect(parseVary([['Vary', names(16)]])).to.have.length(16)
    expect(parseVary([['Vary', names(17)]])).to.equal('*')
  })
})

describe('variantValues', () => {
  const value = (name: string, text: string | string[] | undefined) => variantValues([name], { [name]: text })?.[0]

  it('tells an absent field from an empty one (VRY-4)', () => {
    expect(variantValues(['accept-encoding', 'foo'], {})).to.deep.equal([undefined, undefined])
    expect(value('accept-encoding', '')).to.equal('')
    expect(value('foo', '')).to.equal('')
  })

  it('drops white space around commas and joins lines of unknown fields, nothing more (VRY-3)', () => {
    expect(value('foo', ['1', '2'])).to.equal('1, 2')
    expect(value('foo', '1 ,\t2')).to.equal('1, 2')
    expect(value('foo', '1,2')).to.equal('1, 2')
    expect(value('foo', '"1 , 2",3')).to.equal('"1 , 2", 3')
    expect(value('foo', 'A')).not.to.equal(value('foo', 'a'))
    expect(value('foo', '1,,2')).not.to.equal(value('foo', '1,2'))
  })

  it('ignores case, white space and full weights in preferences (VRY-10)', () => {
    expect(value('accept-language', 'De,  eN')).to.equal('de, en')
    expect(value('accept-encoding', 'GZIP;q=1.0, br ; Q=1.000, x;q=0.5, ,')).to.equal('gzip, br, x;q=0.5')
    expect(value('accept-encoding', 'gzip, deflate, br')).to.equal('gzip, deflate, br')
    expect(value('accept-charset', 'UTF-8')).to.equal('utf-8')
  })

  it('keeps order, refusals and weights below one of preferences', () => {
    expect(value('accept-language', 'en, de')).not.to.equal(value('accept-language', 'de, en'))
    expect(value('accept-encoding', 'gzip;q=0, *')).to.equal('gzip;q=0, *')
    expect(value('accept', 'a/b;q=0.9;x=1')).to.equal('a/b;q=0.9;x=1')
    expect(value('accept', 'a/b;q=1;x=1')).to.equal('a/b;q=1;x=1')
  })

  it('keeps the case of parameter values', () => {
    expect(value('accept', 'Text/HTML;Profile="A, B";LEVEL=1')).to.equal('text/html;profile="A, B";level=1')
  })

  it('does not read fields from prototypes', () => {
    expect(variantValues(['constructor', '__proto__'], {})).to.deep.equal([undefined, undefined])
  })

  it('gives up on values longer than 1 KB', () => {
    expect(variantValues(['foo'], { foo: 'x'.repeat(1025) })).to.equal(undefined)
    expect(variantValues(['foo'], { foo: 'x'.repeat(1024) })).to.have.length(1)
  })

  it('normalises what is normalised already to itself', () => {
    const text = fc.string({ unit: fc.constantFrom(...'aB ,;="q1.0\\\t*/') })
    fc.assert(
      fc.property(text, fc.constantFrom('accept', 'foo'), (raw, name) => {
        const once = value(name, raw)
        expect(value(name, once)).to.equal(once)
      }),
    )
  })
})
