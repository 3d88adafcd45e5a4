// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IHubWallet} from "src/interfaces/IHubWallet.sol";
import {Claim, DealId, DealState, DealTerms, SumNode, UnitLeaf} from "src/types/Deal.sol";
import {BaseTest} from "../utils/BaseTest.sol";
import {JobTreeBuilder, ResultTreeBuilder} from "../utils/Merkle.sol";
import {Typed} from "../utils/Typed.sol";

/// @notice `refuteBill` succeeds exactly on bills no honest hub could post (R2).
/// @dev Every run builds two trees of up to 33 units, hence fewer runs than elsewhere in the long profile.
/// forge-config: ci.fuzz.runs = 600
contract HubWalletRefuteBillTest is BaseTest {
    using ResultTreeBuilder for SumNode[][];

    DealTerms private terms;
    DealId private dealId;
    UnitLeaf[] private units;
    Claim[] private claims;
    bool[] private missing;
    bytes32[][] private jobTree;

    function setUp() public override {
        super.setUp();
        _register();
        terms = _terms();
    }

    /// @dev Opens a deal of `count` units with honest claims drawn from `seed`; `unit` is one that was delivered.
    function _deal(uint256 count, uint256 seed, uint256 unit) private returns (uint256) {
        terms.unitCount = uint32(count);
        UnitLeaf[] memory drawn = _units(terms.unitCount, seed);
        terms.jobRoot = _jobRoot(drawn);
        jobTree = JobTreeBuilder.build(drawn);
        dealId = _open(terms);
        (Claim[] memory made, bool[] memory absent) = _claims(dealId, drawn, seed);
        unit = bound(unit, 0, count - 1);
        absent[unit] = false;
        for (uint256 i = 0; i < count; ++i) {
            units.push(drawn[i]);
            claims.push(made[i]);
            missing.push(absent[i]);
        }
        return unit;
    }

    function _postLeaves(SumNode[] memory leaves) private returns (SumNode[][] memory tree) {
        tree = ResultTreeBuilder.build(leaves);
        _post(terms, tree.top().hash, tree.top().sum);
    }

    function _refute(uint256 unit, uint64 billed, SumNode[][] memory tree) private {
        bytes32[] memory jobProof = JobTreeBuilder.proof(jobTree, unit);
        vm.prank(stranger.addr);
        wallet.refuteBill(terms, units[unit], jobProof, claims[unit], billed, tree.proof(unit));
    }

    function _expectRefuted(uint256 unit, uint64 billed, SumNode[][] memory tree) private {
        vm.expectEmit(address(wallet));
        uint128 compensation = terms.guarantee * 70 / 100;
        emit IHubWallet.DealRefuted(dealId, buyer.addr, stranger.addr, terms.cap, terms.guarantee, compensation);
        _refute(unit, billed, tree);
        _assertState(dealId, DealState.Refuted);
        _assertLedger(0, 0, 0, 0);
        assertEq(token.balanceOf(buyer.addr), BUYER_MONEY + compensation, "the cap back, and the compensation");
        assertEq(token.balanceOf(address(vault)), terms.guarantee - compensation, "the rest is the treasury's");
        assertEq(token.balanceOf(address(wallet)), HUB_MONEY - terms.guarantee);
    }

    function _refused(bytes memory refusal, uint256 unit, UnitLeaf memory leaf, SumNode[] memory proof) private {
        bytes32[] memory jobProof = JobTreeBuilder.proof(jobTree, unit);
        vm.expectRevert(refusal);
        wallet.refuteBill(terms, leaf, jobProof, claims[unit], claims[unit].cu, proof);
    }

    /* REFUSALS */

    function test_refuteBill_withoutResult_reverts() public {
        uint256 unit = _deal(4, 0, 0);
        SumNode[][] memory tree = ResultTreeBuilder.build(_leaves(claims, missing));
        _refused(
            abi.encodeWithSelector(IHubWallet.DealStateMismatch.selector, dealId, DealState.Open),
            unit,
            units[unit],
            tree.proof(unit)
        );
    }

    function test_refuteBill_afterTheWindow_reverts(uint32 late) public {
        uint256 unit = _deal(4, 0, 0);
        claims[unit].cu = units[unit].cuLimit + 1;
        SumNode[][] memory tree = _postLeaves(_leaves(claims, missing));
        uint64 windowEnd = GENESIS + terms.window;
        vm.warp(uint256(windowEnd) + late);
        _refused(
            abi.encodeWithSelector(IHubWallet.WindowOver.selector, windowEnd, uint256(windowEnd) + late),
            unit,
            units[unit],
            tree.proof(unit)
        );
    }

    /// @dev A unit with a lower limit than the job's is not the job's unit.
    function test_refuteBill_unitOfAnotherJob_reverts(uint256 count, uint256 seed, uint256 unit, uint64 limit) public {
        unit = _deal(bound(count, 1, 33), seed, unit);
        SumNode[][] memory tree = _postLeaves(_leaves(claims, missing));
        UnitLeaf memory forged = units[unit];
        vm.assume(limit != forged.cuLimit);
        forged.cuLimit = limit;
        _refused(
            abi.encodeWithSelector(IHubWallet.JobProofInvalid.selector, uint32(unit)), unit, forged, tree.proof(unit)
        );
    }

    /// @dev Index, count and length are part of what is proven.
    function test_refuteBill_proofOfAnotherShape_reverts(uint256 seed, uint256 unit) public {
        unit = _deal(7, seed, unit);
        SumNode[][] memory tree = _postLeaves(_leaves(claims, missing));
        UnitLeaf memory beyond = units[unit];
        beyond.index = 7;
        _refused(abi.encodeWithSelector(IHubWallet.JobProofInvalid.selector, 7), unit, beyond, tree.proof(unit));
        bytes memory refusal = abi.encodeWithSelector(IHubWallet.ResultProofInvalid.selector, uint32(unit));
        _refused(refusal, unit, units[unit], new SumNode[](2));
        _refused(refusal, unit, units[unit], new SumNode[](4));
        SumNode[] memory forged = tree.proof(unit);
        unchecked {
            forged[seed % 3].sum += 1;
        }
        _refused(refusal, unit, units[unit], forged);
    }

    /// @dev A claim the hub never put into the tree cannot be used against it.
    function test_refuteBill_claimNotInTheResult_reverts(uint256 count, uint256 seed, uint256 unit, uint64 cu) public {
        unit = _deal(bound(count, 1, 33), seed, unit);
        SumNode[][] memory tree = _postLeaves(_leaves(claims, missing));
        vm.assume(cu != claims[unit].cu);
        claims[unit].cu = cu;
        _refused(
            abi.encodeWithSelector(IHubWallet.ResultProofInvalid.selector, uint32(unit)),
            unit,
            units[unit],
            tree.proof(unit)
        );
    }

    /// @dev Siblings whose sums leave 64 bits, or a zero hash with a sum, are no proof.
    function test_r02_refuteBill_impossibleSiblings_reverts() public {
        uint256 unit = _deal(2, 0, 0);
        claims[0].cu = 5;
        missing[1] = true;
        _postLeaves(_leaves(claims, missing));
        bytes memory refusal = abi.encodeWithSelector(IHubWallet.ResultProofInvalid.selector, uint32(unit));
        SumNode[] memory proof = new SumNode[](1);
        proof[0] = SumNode(keccak256("b"), type(uint64).max);
        _refused(refusal, unit, units[unit], proof);
        proof[0] = SumNode(0, 1);
        _refused(refusal, unit, units[unit], proof);
    }

    /// @dev Nothing an honest hub posts can be refuted, whichever unit one shows.
    function test_r02_refuteBill_honestClaims_neverRefuted(uint256 count, uint256 seed) public {
        _deal(bound(count, 1, 33), seed, 0);
        SumNode[][] memory tree = _postLeaves(_leaves(claims, missing));
        for (uint256 unit = 0; unit < units.length; ++unit) {
            if (missing[unit]) continue;
            bytes memory refusal = abi.encodeWithSelector(IHubWallet.NothingRefuted.selector);
            _refused(refusal, unit, units[unit], tree.proof(unit));
        }
    }

    /// @dev A unit billed at exactly its limit is honest.
    function test_r02_refuteBill_atTheLimit_isNotRefuted() public {
        uint256 unit = _deal(3, 1, 1);
        claims[unit].cu = units[unit].cuLimit;
        SumNode[][] memory tree = _postLeaves(_leaves(claims, missing));
        vm.expectRevert(IHubWallet.NothingRefuted.selector);
        this.refuteFromOutside(unit, claims[unit].cu, tree);
    }

    function refuteFromOutside(uint256 unit, uint64 billed, SumNode[][] memory tree) external {
        bytes32[] memory jobProof = JobTreeBuilder.proof(jobTree, unit);
        wallet.refuteBill(terms, units[unit], jobProof, claims[unit], billed, tree.proof(unit));
    }

    /* LIES */

    function test_r02_refuteBill_moreThanTheUnitsLimit(uint256 count, uint256 seed, uint256 unit, uint64 cu) public {
        unit = _deal(bound(count, 1, 33), seed, unit);
        claims[unit].cu = uint64(bound(cu, units[unit].cuLimit + 1, type(uint64).max / 64));
        SumNode[][] memory tree = _postLeaves(_leaves(claims, missing));
        _expectRefuted(unit, claims[unit].cu, tree);
    }

    /// @dev The leaf's sum is not the CU inside its claim: sums add up, but not to what miners signed.
    function test_r02_refuteBill_notTheClaimsOwnCu(uint256 count, uint256 seed, uint256 unit, uint64 billed) public {
        unit = _deal(bound(count, 1, 33), seed, unit);
        billed = uint64(bound(billed, 0, units[unit].cuLimit));
        vm.assume(billed != claims[unit].cu);
        SumNode[] memory leaves = _leaves(claims, missing);
        leaves[unit].sum = billed;
        _expectRefuted(unit, billed, _postLeaves(leaves));
    }

    /// @dev One claim billed twice: at its own position and at another.
    function test_r02_refuteBill_claimOfAnotherUnit(uint256 count, uint256 seed, uint256 unit) public {
        count = bound(count, 2, 33);
        unit = _deal(count, seed, unit);
        uint256 other = (unit + 1) % count;
        claims[unit] = claims[other];
        claims[unit].cu = 1;
        _expectRefuted(unit, 1, _postLeaves(_leaves(claims, missing)));
    }

    function test_r01_refuteBill_claimOfAnotherDeal(uint256 count, uint256 seed, uint256 unit, bytes32 deal) public {
        unit = _deal(bound(count, 1, 33), seed, unit);
        vm.assume(deal != DealId.unwrap(dealId));
        claims[unit].dealId = DealId.wrap(deal);
        _expectRefuted(unit, claims[unit].cu, _postLeaves(_leaves(claims, missing)));
    }
}
