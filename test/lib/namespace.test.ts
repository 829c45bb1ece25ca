import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { nearestPackageName } from '../../lib/namespace.ts'

describe('nearestPackageName', () => {
  let root: string
  let inner: string
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'cachewell-namespace-'))
    inner = join(root, 'a', 'b')
    await mkdir(inner, { recursive: true })
  })
  afterEach(() => rm(root, { recursive: true }))

  const write = (folder: string, text: string): Promise<void> => writeFile(join(folder, 'package.json'), text)

  it('is the name in the package.json above', async () => {
    await write(root, '{"name":"shop"}')
    expect(nearestPackageName(inner)).to.equal('shop')
    await write(inner, '{"name":"@scope/inner"}')
    expect(nearestPackageName(inner)).to.equal('@scope/inner')
  })

  for (const [what, text] of [
    ['without a name', '{"type":"module"}'],
    ['with a name that is not text', '{"name":1}'],
    ['with an empty name', '{"name":""}'],
    ['that is not JSON', '{'],
    ['that is no object', 'null'],
  ] as const) {
    it(`looks further up where there is one ${what}`, async () => {
      await write(root, '{"name":"shop"}')
      await write(inner, text)
      expect(nearestPackageName(inner)).to.equal('shop')
    })
  }

  it('has a name of its own where there is none', () => {
    expect(nearestPackageName(root)).to.equal('cachewell')
  })

  it('begins where the process was started', () => {
    expect(nearestPackageName()).to.equal('cachewell')
  })
})
