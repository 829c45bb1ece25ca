import { expect } from 'chai'
import fc from 'fast-check'
import { acceptableCodings, Negotiation } from '../../../lib/http/accept-encoding.ts'
import { CODINGS } from '../../../lib/http/content-coding.ts'

const asking = (value: string | undefined) => (value === undefined ? {} : { 'accept-encoding': value })

describe('Negotiation', () => {
  const negotiation = new Negotiation(['br', 'gzip'])
  const accepted = (value: string | undefined) => negotiation.accepted(asking(value)).join()

  const rows: Readonly<Record<string, string>> = {
    '': '',
    identity: '',
    gzip: 'gzip',
    'x-gzip': 'gzip',
    'GZIP, Br': 'br,gzip',
    'gzip, deflate, br, zstd': 'br,gzip',
    'gzip;q=1.0, br;q=0.5': 'gzip,br',
    'br;q=0, gzip': 'gzip',
    'gzip ; Q=0.001': 'gzip',
    '*': 'br,gzip',
    '*;q=0.5, gzip;q=0.1': 'br,gzip',
    '*, br;q=0': 'gzip',
    '*;q=0': '',
    '*;q=0, gzip': 'gzip',
    'identity;q=0': '',
    'identity;q=0, gzip;q=0.1': 'gzip',
    'identity;q=1, gzip;q=0.5, br': 'br',
    'identity;q=0.5, *;q=0.1': '',
    'gzip;q=0, gzip': '',
    'gzip;q=2': '',
    'gzip;q=0.1234': '',
    'gzip;q=': '',
    'gzip;level=9': '',
    ', ,gzip,': 'gzip',
    'gzip br': '',
  }
  for (const [value, expected] of Object.entries(rows)) {
    it(`offers ${expected || 'nothing'} for ${JSON.stringify(value)}`, () => {
      expect(accepted(value)).to.equal(expected)
      expect(accepted(value), 'the second time').to.equal(expected)
    })
  }

  it('offers nothing to those who do not say, or too much', () => {
    expect(accepted(undefined)).to.equal('')
    expect(accepted(`gzip, ${'x'.repeat(1024)}`)).to.equal('')
  })

  it('prefers what stands first among the equally welcome', () => {
    expect(new Negotiation(['gzip', 'zstd', 'br']).accepted(asking('br, zstd, gzip')).join()).to.equal('gzip,zstd,br')
  })

  it('offers only what a client takes, whatever it writes', () => {
    const member = fc.tuple(
      fc.constantFrom('gzip', 'br', '*', 'identity', 'x'),
      fc.constantFrom('', ';q=0', ';q=0.5', ';q=1'),
    )
    fc.assert(
      fc.property(fc.array(member), (members) => {
        const headers = asking(members.map(([name, weight]) => name + weight).join(', '))
        const offered = negotiation.accepted(headers)
        expect(acceptableCodings(headers)).to.include.members([...offered])
        for (const coding of offered) {
          const own = members.find(([name]) => name === coding) ?? members.find(([name]) => name === '*')
          expect(own?.[1]).to.be.oneOf(['', ';q=0.5', ';q=1'])
        }
      }),
    )
  })
})

describe('acceptableCodings', () => {
  it('names all that a client takes at all', () => {
    expect(acceptableCodings(asking('*;q=0.1, identity'))).to.deep.equal(CODINGS)
    expect(acceptableCodings(asking('gzip;q=0, br;q=0.1'))).to.deep.equal(['br'])
    expect(acceptableCodings({})).to.deep.equal([])
  })
})
