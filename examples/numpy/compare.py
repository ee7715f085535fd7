"""norma beside plain numpy: the same numbers however arrays lie, nothing copied, and times. Argument: the folder of the built module."""
import sys
import timeit
import tracemalloc

import numpy as np

sys.path.insert(0, sys.argv[1])
import norma_numpy as norma  # noqa: E402

EPS = 1e-5


def layer_norm(x, weight, bias):
    mean = x.mean(-1, keepdims=True)
    return (x - mean) / np.sqrt(x.var(-1, keepdims=True) + EPS) * weight + bias


def rms_norm(x, weight):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + EPS) * weight


def along_channels(p, x):
    return p.reshape((1, -1) + (1,) * (x.ndim - 2))


def batch_norm(x, mean, variance, weight, bias):
    mean, variance, weight, bias = (along_channels(p, x) for p in (mean, variance, weight, bias))
    return (x - mean) / np.sqrt(variance + EPS) * weight + bias


def group_norm(x, groups, weight, bias):
    g = x.reshape(x.shape[0], groups, -1)
    g = (g - g.mean(-1, keepdims=True)) / np.sqrt(g.var(-1, keepdims=True) + EPS)
    return g.reshape(x.shape) * along_channels(weight, x) + along_channels(bias, x)


def cases(x, p):
    """Name, norma's call, numpy's formula, of x (N, C, H, W) and a function p(n, least) that draws parameters."""
    c, w = x.shape[1], x.shape[3]
    lw, lb, cw, cb, m, v = p(w), p(w), p(c), p(c), p(c), p(c, 0.5)
    return [
        ("layer_norm", lambda x, **o: norma.layer_norm(x, weight=lw, bias=lb, eps=EPS, **o), lambda x: layer_norm(x, lw, lb)),
        ("rms_norm", lambda x, **o: norma.rms_norm(x, weight=lw, eps=EPS, **o), lambda x: rms_norm(x, lw)),
        ("batch_norm", lambda x, **o: norma.batch_norm(x, m, v, cw, cb, EPS, **o), lambda x: batch_norm(x, m, v, cw, cb)),
        ("group_norm", lambda x, **o: norma.group_norm(x, 2, cw, cb, EPS, **o), lambda x: group_norm(x, 2, cw, cb)),
    ]


def layouts(big):
    """Views of one array (16, 12, 20, 24), none of which is a copy."""
    yield "contiguous", big
    yield "transposed", big.T
    yield "channels-last", big.transpose(0, 3, 1, 2)
    yield "every second", big[::2, 2:10, 1::3, 5:20:2]
    yield "backwards", big[:, ::-1, :, ::-1]
    yield "broadcast", np.broadcast_to(big[:1, :, :, :1], (3, 12, 20, 8))


def refused(error, call, *arguments, **options):
    try:
        call(*arguments, **options)
    except error as e:
        return f"{error.__name__}: {e}"
    raise AssertionError(f"{error.__name__} expected")


def best(call):
    return 1e3 * min(timeit.repeat(call, number=1, repeat=5))


def main():
    rng = np.random.default_rng(1)
    for dtype, tolerance in ((np.float32, 3e-5), (np.float64, 1e-12)):
        def p(n, least=-1.0):
            return rng.uniform(least, 2, 3 * n).astype(dtype)[1::3]  # parameters may lie anyhow, too

        big = rng.normal(1, 2, (16, 12, 20, 24)).astype(dtype)
        for layout, x in layouts(big):
            for name, ours, formula in cases(x, p):
                expected = formula(np.float64(x))
                np.testing.assert_allclose(ours(x), expected, tolerance, tolerance, err_msg=f"{name} {layout}")
                # Into every second element of other memory, which is all that changes. numpy's allocations are traced: there are none.
                room = np.full(x.shape[:-1] + (2 * x.shape[-1],), 7, dtype)
                out = room[..., ::2]
                tracemalloc.start()
                y = ours(x, out=out)
                most = tracemalloc.get_traced_memory()[1]
                tracemalloc.stop()
                assert y is out and most < 2048 < x.nbytes, (name, layout, most)
                np.testing.assert_allclose(out, expected, tolerance, tolerance, err_msg=f"{name} {layout} into out")
                assert (room[..., 1::2] == 7).all(), (name, layout)
    print("all four norms, both dtypes, six layouts: as numpy's formulas in float64, without a copy")

    x, record = np.ones((4, 6), np.float32), np.zeros(4, [("tag", "i1"), ("x", "f4")])
    print(refused(TypeError, norma.layer_norm, x.astype(np.int32)))
    print(refused(TypeError, norma.rms_norm, x, weight=np.ones(6)))
    print(refused(ValueError, norma.layer_norm, x, weight=np.ones(5, np.float32)))
    print(refused(ValueError, norma.layer_norm, record["x"]))
    print(refused(ValueError, norma.layer_norm, x, out=np.broadcast_to(x[:1], x.shape)))

    x = rng.normal(size=(32, 64, 32, 32)).astype(np.float32)
    print(f"ms of a call, {x.shape} float32: norma for {norma.instruction_set()}, numpy {np.__version__}")
    for layout, view in (("contiguous", x), ("channels-last", x.transpose(0, 3, 1, 2)), ("every second", x[..., ::2])):
        for name, ours, formula in cases(view, lambda n, least=0.0: rng.uniform(least, 2, n).astype(np.float32)):
            print(f"{layout:14} {name:11} {best(lambda: ours(view)):7.1f} {best(lambda: formula(view)):7.1f}")


main()
