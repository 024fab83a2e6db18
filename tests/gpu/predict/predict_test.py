"""Tests of the static gates, the interpreter and the cost model. Nothing is compiled here."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import counts
import gates
import gpus
import launches
import measured
import model
import page
import sass
from launches import Launch
from warp import BF16S, FLOATS, Int32, Unknown, Warp

NAME = "_ZN4gpt24cuda11add_kernelEPfl"
LOG = f"""ptxas info    : Compiling entry function '{NAME}' for 'sm_90'
ptxas info    : Function properties for {NAME}
    16 bytes stack frame, 12 bytes spill stores, 8 bytes spill loads
ptxas info    : Used 40 registers, used 1 barriers, 256 bytes smem
ptxas info    : Function properties for helper
    32 bytes stack frame, 99 bytes spill stores, 0 bytes spill loads
"""


def listing(*lines):
    """Instructions and labels, as nvdisasm writes them."""
    offset, text = 0, [f"\t.section\t.text.{NAME},\"ax\",@progbits", f"{NAME}:"]
    for line in lines:
        if line.endswith(":"):
            text.append(line)
        else:
            text.append(f"        /*{offset:04x}*/                   {line} ;")
            offset += 16
    return "\n".join(text)


def kernel(*lines, architecture=90, name="add: add_kernel"):
    found = {NAME: sass.Kernel(name, architecture)}
    sass.read_listing(listing(*lines), found)
    return found[NAME]


def run(*lines, arguments=(), cta=(0, 0, 0), thread=0):
    warp = Warp(kernel(*lines), list(arguments), (256, 1, 1), (8, 1, 1), cta, thread)
    warp.issued = warp.run(1000)
    return warp


class Listings(unittest.TestCase):
    def test_resources_are_those_of_the_kernel_and_not_of_what_it_calls(self):
        self.assertEqual(sass.read_resources(LOG), {NAME: {"stack": 16, "spills": 12, "registers": 40, "shared": 256}})

    def test_instructions(self):
        found = kernel("@!P0 LDG.E.128 R4, desc[UR4][R2.64+0x10]", ".L_x_1:", "BRA `(.L_x_1)")
        load = found.instructions[0]
        self.assertEqual((load.predicate, load.opcode, load.modifiers), ("!P0", "LDG", ("E", "128")))
        self.assertEqual(load.operands, ["R4", "desc[UR4][R2.64+0x10]"])
        self.assertEqual(found.labels[".L_x_1"], 1)
        self.assertEqual(found.count("LDG", "128"), 1)
        self.assertEqual(found.count("LDG", "64"), 0)

    def test_names(self):
        name = "void gpt2::cuda::(anonymous namespace)::add_kernel<float, gpt2::bf16>(float*, gpt2::bf16 const*, long)"
        self.assertEqual(sass.short_name("add", name), "add: add_kernel<float, bf16>")
        self.assertEqual(sass.short_name("x", "gpt2::cuda::(anonymous namespace)::y_kernel(float*)"), "x: y_kernel")


class Interpreter(unittest.TestCase):
    def test_a_loop_issues_its_body_as_often_as_it_runs(self):
        warp = run("MOV R0, 0x5", ".L:", "VIADD R0, R0, 0xffffffff", "ISETP.NE.AND P0, PT, R0, RZ, PT", "@P0 BRA `(.L)", "EXIT")
        self.assertEqual(warp.issued, 1 + 5 * 3 + 1)
        self.assertEqual(warp.count["BRA"], 5)

    def test_an_instruction_whose_predicate_is_false_is_issued_without_effect(self):
        warp = run("MOV R0, 0x1", "@P0 MOV R0, 0x2", "@!P0 MOV R1, 0x3", "EXIT")
        self.assertEqual((warp.R[0], warp.R[1], warp.issued), (1, 3, 4))

    def test_no_end(self):
        with self.assertRaises(Unknown):
            run(".L:", "BRA `(.L)")

    def test_an_unknown_instruction_is_named(self):
        with self.assertRaisesRegex(Unknown, "FROBNICATE R1"):
            run("FROBNICATE R1", "EXIT")

    def test_arithmetic(self):
        """Instructions, and what R4 holds after them; R2 = 7, R3 = 0xffffffff."""
        cases = [
            (["IADD3 R4, R2, -0x1, RZ"], 6),
            (["IADD3 R4, P1, R3, R2, RZ", "IADD3.X R4, RZ, RZ, RZ, P1, !PT"], 1),
            (["IADD3 R4, P1, R2, -R2, RZ", "IADD3.X R4, RZ, RZ, RZ, P1, !PT"], 1),
            (["IMAD R4, R2, 0x3, R3"], 20),
            (["IMAD.WIDE.U32 R4, R3, R2, RZ"], 0xFFFFFFF9),
            (["IMAD.WIDE R4, R3, R2, RZ", "MOV R4, R5"], 0xFFFFFFFF),
            (["IMAD.HI.U32 R4, R3, R2, RZ"], 6),
            (["MOV R6, RZ", "MOV R7, 0x9", "IMAD.HI.U32 R4, R3, R2, R6"], 15),  # the third factor is R6 and R7
            (["LEA R4, R2, R3, 0x2"], 27),
            (["LEA.HI R4, R3, R2, RZ, 0x4"], 22),
            (["SHF.R.U32.HI R4, RZ, 0x1c, R3"], 15),
            (["SHF.R.S32.HI R4, RZ, 0x1c, R3"], 0xFFFFFFFF),
            (["SHF.L.U64.HI R4, R3, 0x4, R2"], 0x7F),
            (["LOP3.LUT R4, R3, 0xf, RZ, 0xc0, !PT"], 15),
            (["ISETP.GT.AND P1, PT, R2, R3, PT", "SEL R4, R2, RZ, P1"], 7),
            (["ISETP.GT.U32.AND P1, PT, R2, R3, PT", "SEL R4, R2, RZ, P1"], 0),
            (["FADD R4, RZ, 1", "FFMA R4, R4, 2, 0.5"], 0x40200000),
            (["FADD R4, -RZ, -1", "FADD R4, |R4|, RZ"], 0x3F800000),
            (["FMUL R4, RZ, 4", "FADD R4, RZ, 4", "MUFU.RCP R4, R4"], 0x3E800000),
            (["HFMA2.MMA R4, -RZ, RZ, 1.875, 0"], 0x3F800000),
            (["PRMT R4, R3, 0x5410, R2"], 0x0007FFFF),
            (["P2R R4, PR, RZ, 0x7f"], 0),
            (["I2F.U32 R4, R2"], 0x40E00000),
            (["CS2R R4, SRZ"], 0),
            (["FADD R4, RZ, 3", "F2I.TRUNC R4, R4"], 3),
        ]
        for lines, expected in cases:
            with self.subTest(lines):
                warp = run("MOV R2, 0x7", "MOV R3, 0xffffffff", *lines, "EXIT")
                self.assertEqual(hex(warp.R[4]), hex(expected))

    def test_arguments_are_aligned_as_in_a_struct(self):
        warp = run("ULDC UR4, c[0x0][0x210]", "LDC.64 R2, c[0x0][0x218]", "LDC R4, c[0x0][0x220]", "EXIT",
                   arguments=[Int32(3), 1 << 32 | 5, [1.0]])
        self.assertEqual((warp.UR[4], warp.R[2], warp.R[3], warp.R[4]), (3, 5, 1, 0x3F800000))

    def test_bytes_and_values_of_memory(self):
        warp = run("LDC.64 R2, c[0x0][0x210]", "LDG.E.128 R4, desc[UR4][R2.64+0x10]", "LDC.64 R2, c[0x0][0x218]",
                   "LDG.E.U16 R8, desc[UR4][R2.64]", "STG.E.64 desc[UR4][R2.64], R4", "EXIT", arguments=[FLOATS, BF16S])
        self.assertEqual((warp.loaded, warp.stored), (18, 8))
        self.assertEqual((warp.R[7], warp.R[8]), (0x3F800000, 0x3F80))

    def test_shared_memory_keeps_what_is_written(self):
        self.assertEqual(run("MOV R2, 0x7", "STS [R2+0x10], R2", "LDS R4, [R2+0x10]", "EXIT").R[4], 7)

    def test_calls_return(self):
        warp = run("MOV R2, 0x20", "CALL.REL.NOINC `(helper)", "EXIT", "helper:", "MOV R4, 0x9", "RET.REL.NODEC R2 `(x)")
        self.assertEqual((warp.R[4], warp.issued), (9, 5))


def launch(**changes):
    return Launch(**{**dict(op="add", kernel="add: add_kernel", arguments=[FLOATS], grid=(1,), block=32, bytes=512), **changes})


LOAD_AND_STORE = ["LDC.64 R2, c[0x0][0x210]", "LDG.E.128 R4, desc[UR4][R2.64]"]


class Gates(unittest.TestCase):
    def faults(self, *lines, name="add: add_kernel<float, float>", architecture=90, **resources):
        found = kernel(*(lines or ["LDG.E.128 R4, [R2.64]", "STG.E.128 [R2.64], R4"]), name=name, architecture=architecture)
        for resource, value in resources.items():
            setattr(found, resource, value)
        return list(gates.faults_of(found))

    def test_good_code_has_no_fault(self):
        self.assertEqual(self.faults(registers=72), [])

    def test_each_fault_is_found(self):
        attention = "flash_attention_forward: forward_kernel<64>"
        wide = ["LDGSTS.E.BYPASS.128 [R1], [R2.64]", "STG.E.128 [R2.64], R4"]
        cases = [
            ("spill", {"spills": 4}),
            ("stack frame", {"stack": 8}),
            ("ceiling is 72", {"registers": 73}),
            ("shared memory", {"shared": 49153}),
            ("128-bit load", {"lines": ["LDG.E.64 R4, [R2.64]", "STG.E.128 [R2.64], R4"]}),
            ("128-bit store", {"lines": ["LDG.E.128 R4, [R2.64]", "STG.E [R2.64], R4"]}),
            ("no HMMA", {"lines": wide, "name": attention}),
        ]
        for part, case in cases:
            with self.subTest(part):
                found = self.faults(*case.pop("lines", ()), **case)
                self.assertEqual(len(found), 1, found)
                self.assertIn(part, found[0])

    def test_bf16_attention_may_be_empty_before_8_0_only(self):
        for architecture, faults in ((75, 0), (80, 3)):
            found = self.faults("BPT.TRAP 0x1", name="flash_attention_backward: backward_keys_kernel<64>", architecture=architecture)
            self.assertEqual(len(found), faults, found)

    def test_narrow_kernels_are_listed(self):
        self.assertEqual(self.faults("LDG.E.128 R4, [R2.64]", "STG.E [R2.64], R4", name="global_norm: squares_kernel<float>"), [])

    def issue_faults(self, instructions, **changes):
        lines = [*LOAD_AND_STORE, *["NOP"] * (instructions - 3), "EXIT"]
        found = {"add: add_kernel": kernel(*lines)}
        return list(gates.check_issue(gates.measured_issue(found, [launch(**changes)])))

    def test_issue_slots(self):
        # 32 lanes load 16 bytes: 0.12 ns at 4.2 TB/s, in which an H200 issues 113 instructions
        self.assertEqual(self.issue_faults(70), [])
        self.assertIn("0.80 of the memory time", self.issue_faults(90)[0])
        self.assertEqual(self.issue_faults(90, over="a reason"), [])
        self.assertIn("not needed", self.issue_faults(70, over="a reason")[0])
        self.assertIn("move 0.50 times", self.issue_faults(70, bytes=1024)[0])

    def test_a_line_without_kernel_is_an_error(self):
        with self.assertRaisesRegex(SystemExit, "not compiled any more"):
            gates.measured_issue({}, [launch()])


class Predictions(unittest.TestCase):
    def setUp(self):
        self.model = model.Model(gpus.GPUS["H200"], [], [])
        self.model.ratios = {"gelu_forward": 1.6, "add": 0.2}
        self.counts = {"step": "09_vocab", "batch": 64, "seq": 1024, "micro_batches": 1, "kernels": {
            "add": [10, 4_200_000_000], "gelu_forward": [1, 4_200_000_000], "matmul": [147, 0],
            "flash_attention_backward": [12, 0]}}

    def lines(self, **kwargs):
        return {line.kernel: line for line in self.model.lines(self.counts, **kwargs)}

    def test_a_kernel_takes_the_time_of_its_bytes_or_of_its_instructions(self):
        lines = self.lines()
        self.assertAlmostEqual(lines["add"].high, 1 + 10 * model.LAUNCH)
        self.assertAlmostEqual(lines["gelu_forward"].high, 2 + model.LAUNCH)

    def test_a_kernel_that_writes_in_place_moves_its_bytes_twice(self):
        self.counts["kernels"]["adamw"] = [1, 16_000_000]
        self.assertEqual(self.lines()["adamw"].megabytes, 28)

    def test_products_take_6_flops_for_each_weight_and_token(self):
        line = self.lines()["products of the blocks"]
        self.assertAlmostEqual(line.high, 33.4e12 / 600e12 * 1e3, delta=0.5)
        self.assertAlmostEqual(line.low, 33.4e12 / 700e12 * 1e3, delta=0.5)

    def test_rows_of_50257_run_at_half_the_rate(self):
        aligned = self.lines()["products of the head"].high
        self.counts["step"] = "08_flash_attention"
        self.assertAlmostEqual(self.lines()["products of the head"].high / aligned, 2, delta=0.01)

    def test_the_deterministic_workspace_costs_milliseconds(self):
        plain, slow = (self.lines(attention=a)["flash_attention_backward, cuDNN"] for a in ("cudnn", "deterministic"))
        self.assertAlmostEqual(slow.low - plain.low, 12 * (1613.8 - 204.5) / 4.2e3, delta=0.01)

    def test_the_step_is_the_sum(self):
        low, high = self.model.step_ms(self.counts)
        self.assertAlmostEqual(high, sum(line.high for line in self.model.lines(self.counts)))
        self.assertLess(low, high)

    def test_the_page_has_a_row_for_each_kernel_and_its_measurement(self):
        text = page.kernels({"H200": self.model}, [self.counts], {"kernels": {measured.key("H200", "09_vocab", 64): {"add": 1.25}}})
        self.assertIn("| add | 10 | 4,200 | 0.20 | 1.02 | 1.25 |", text)
        self.assertIn("| gelu_forward | 1 | 4,200 | 1.60 | 2.00 |  |", text)

    def test_only_the_generated_part_changes(self):
        old = f"Prose.\n{page.BEGIN}\nold\n{page.END}\nMore."
        self.assertEqual(page.replaced(old, f"{page.BEGIN}\n\\1 new\n{page.END}"), f"Prose.\n{page.BEGIN}\n\\1 new\n{page.END}\nMore.")
        with self.assertRaises(SystemExit):
            page.replaced("Prose.", "new")


class Counts(unittest.TestCase):
    def test_four_small_shapes_give_all_shapes(self):
        def size(batch, seq):
            return 7 + 3 * seq + batch * seq * (11 + 2 * seq)

        fitted = counts.fitted({(b, t): size(b, t) for b in (1, 2) for t in (32, 64)})
        for shape in ((1, 32), (16, 1024), (64, 1024), (3, 77)):
            self.assertAlmostEqual(fitted(*shape), size(*shape), places=3)

    def test_without_t_x_t_the_last_points_give_the_slope(self):
        points = {(b, t): b * t * 10 + (b * t == 32) for b in (1, 2) for t in (32, 64)}
        self.assertAlmostEqual(counts.fitted(points, is_square=False)(64, 1024) / (64 * 1024 * 10), 1, places=3)

    def test_steps_10_and_13_follow_from_09(self):
        lines = "\n".join(f'{{"step": "09_vocab", "batch": {b}, "seq": {t}, "kernels": {{"add": [2, {b * t}], '
                          f'"adamw": [1, 100], "global_norm": [1, 40]}}}}' for b in (1, 2) for t in (32, 64))
        found = {each["step"]: each for each in counts.of_steps(lines, [64])}
        self.assertEqual(found["09_vocab"]["kernels"], {"add": [2, 65536], "adamw": [1, 100]})
        self.assertEqual(found["10_adamw"]["kernels"]["global_norm"], [1, 40])
        self.assertEqual(found["13_fineweb"]["micro_batches"], 8)
        self.assertEqual(found["13_fineweb"]["kernels"], {"add": [16, 8 * 65536], "adamw": [1, 100], "global_norm": [1, 40]})


NCU = '''==PROF== Connected to process 1
step    0 | loss: 10.98
"ID","Process ID","Kernel Name","Metric Name","Metric Unit","Metric Value"
"0","1","void gpt2::cuda::<unnamed>::gelu_forward_kernel<gpt2::bf16>(T1 *, const T1 *, long)","Duration","us","1,500.5"
"0","1","void gpt2::cuda::<unnamed>::gelu_forward_kernel<gpt2::bf16>(T1 *, const T1 *, long)","DRAM Throughput","%","90"
"1","1","void gpt2::cuda::<unnamed>::gelu_forward_kernel<gpt2::bf16>(T1 *, const T1 *, long)","Duration","ns","500"
"2","1","gpt2::cuda::<unnamed>::squares_kernel(float *, const float *, long)","gpu__time_duration.sum","msecond","2"
"3","1","gpt2::cuda::<unnamed>::backward_keys_kernel<64>(Backward)","Duration","us","3"
"4","1","nvjet_hsh_128x256_64x4","Duration","us","7"
"5","1","cudnn_generated_fort_native_sdpa_sm90_flash_bprop_wgmma","Duration","us","9"
'''


class Measurements(unittest.TestCase):
    def test_ncu(self):
        found = measured.read_ncu(NCU.splitlines())
        expected = {"gelu_forward": 1.501, "global_norm": 2, "flash_attention_backward, own": 0.003, "products": 0.007,
                    "flash_attention_backward, cuDNN": 0.009}
        self.assertEqual(found.keys(), expected.keys())
        for line, ms in expected.items():
            self.assertAlmostEqual(found[line], ms)

    def test_a_file_without_table(self):
        with self.assertRaisesRegex(SystemExit, "no table of ncu"):
            measured.read_ncu(["==ERROR== no permission"])

    def test_a_log(self):
        self.assertEqual(measured.read_log(['{"event": "step", "ms": 5}', '{"event": "done", "ms": 4.5}']), 4.5)
        with self.assertRaisesRegex(SystemExit, "did not end"):
            measured.read_log(['{"event": "step", "ms": 5}'])


class Table(unittest.TestCase):
    def test_every_launch_has_warps_to_interpret(self):
        for each in launches.BOUND_BY_MEMORY + launches.BOUND_BY_ARITHMETIC:
            with self.subTest(each.kernel):
                self.assertGreater(each.warps, 0)
                for cta, thread in each.sampled():
                    self.assertTrue(all(0 <= at < size for at, size in zip(cta, each.grid3)), cta)
                    self.assertLess(thread, each.block)


if __name__ == "__main__":
    unittest.main()
