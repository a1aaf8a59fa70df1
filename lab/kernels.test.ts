import { describe, expect, it } from 'vitest';
import { KERNELS, kernelNamed, kernelParts, newestImage } from './kernels.js';

const OFFERED = [
  'linux-image-6.12.90+deb12-amd64',
  'linux-image-6.12.117+deb12-amd64',
  'linux-image-6.12.90+deb12.1-amd64',
  'linux-image-6.12.117+deb12-cloud-amd64',
  'linux-image-6.12.118+deb12-rt-amd64',
  'linux-image-6.12.118+deb12-amd64-dbg',
  'linux-image-6.12.118+deb12-amd64-unsigned',
  'linux-image-6.12.118+deb13-amd64',
  'linux-image-6.1.0-9-amd64',
  'linux-image-6.1.0-56-amd64',
  'linux-image-7.2.12+deb13-amd64',
  'linux-image-7.3.4+deb13-amd64',
];

describe('newestImage', () => {
  it.each([
    ['6.12', 'linux-image-6.12.117+deb12-amd64'],
    ['6.12-rt', 'linux-image-6.12.118+deb12-rt-amd64'],
    ['6.1', 'linux-image-6.1.0-56-amd64'],
    ['7', 'linux-image-7.3.4+deb13-amd64'],
    ['5.10', undefined],
  ])('of %s is %s', (name, image) => {
    expect(newestImage(kernelNamed(name), OFFERED)).toBe(image);
  });

  it('orders a point release behind its base', () => {
    const names = ['linux-image-6.12.90+deb12.1-amd64', 'linux-image-6.12.90+deb12-amd64'];
    expect(newestImage(kernelNamed('6.12'), names)).toBe(names[0]);
  });
});

describe('kernelParts', () => {
  it('takes along the parts pinned to the same version, and nothing else', () => {
    const depends =
      'dracut | linux-initramfs-tool, linux-base-7.3.4+deb13-amd64 (= 7.3.4-1), linux-binary-7.3.4+deb13-amd64 (= 7.3.4-1), linux-modules-7.3.4+deb13-amd64 (= 7.3.4-1)';
    expect(kernelParts('linux-image-7.3.4+deb13-amd64', depends)).toEqual([
      'linux-image-7.3.4+deb13-amd64',
      'linux-base-7.3.4+deb13-amd64',
      'linux-binary-7.3.4+deb13-amd64',
      'linux-modules-7.3.4+deb13-amd64',
    ]);
    expect(kernelParts('i', 'kmod, linux-base (>= 4.3~), initramfs-tools (>= 0.120)')).toEqual(['i']);
  });
});

describe('kernelNamed', () => {
  it('names the kernels there are when it is asked for another', () => {
    expect(() => kernelNamed('4.19')).toThrow(/no such kernel/);
    expect(KERNELS.map((kernel) => kernelNamed(kernel.name).name)).toEqual(KERNELS.map((one) => one.name));
  });
});
