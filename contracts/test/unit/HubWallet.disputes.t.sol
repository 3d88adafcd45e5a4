// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IHubWallet} from "src/interfaces/IHubWallet.sol";
import {Claim, Deal, DealId, DealState, DealTerms, SumNode, SumStep, UnitLeaf} from "src/types/Deal.sol";
import {BaseTest} from "../utils/BaseTest.sol";
import {JobTreeBuilder, ResultTreeBuilder} from "../utils/Merkle.sol";
import {Typed} from "../utils/Typed.sol";

/// @notice Two bugs of other systems' dispute games, on the disputes of this wallet: a late challenge that flips what
/// was decided (20 in the list that `verifier/machine/tests/court/bugs.rs` begins with), and a clock that rivals
/// share (21).
/// @dev Every refutation here would succeed in its time: each result posted has a false sum and a false bill. What is
/// drawn is moments only, and every run builds many trees, hence fewer runs than elsewhere.
/// forge-config: ci.fuzz.runs = 200
/// forge-config: long.fuzz.runs = 2000
contract HubWalletDisputesTest is BaseTest {
    using ResultTreeBuilder for SumNode[][];

    /// @dev All that a decision moves.
    struct Picture {
        uint256 buyerMoney;
        uint256 walletMoney;
        uint256 treasuryMoney;
        uint256 authorMoney;
        uint256 free;
        bytes32 ledger;
        bytes32 deal;
    }

    uint32 private constant UNITS = 4;
    uint256 private constant FALSE_UNIT = 2;
    uint256 private constant ATTEMPTS = 8;

    DealTerms private terms;
    UnitLeaf[] private units;

    function setUp() public override {
        super.setUp();
        _register();
        terms = _terms();
        UnitLeaf[] memory drawn = _units(UNITS, 1);
        for (uint256 i = 0; i < UNITS; ++i) {
            units.push(drawn[i]);
        }
        terms.unitCount = UNITS;
        terms.jobRoot = _jobRoot(drawn);
    }

    /* RESULTS WITH TWO LIES */

    /// @dev One claim above its unit's limit, and a node above other units that does not add up.
    function _falseTree(DealId dealId) private view returns (SumNode[][] memory tree) {
        SumNode[] memory leaves = new SumNode[](UNITS);
        for (uint256 i = 0; i < UNITS; ++i) {
            Claim memory claim = _claimOf(dealId, i);
            leaves[i] = ResultTreeBuilder.leaf(claim.unit, Typed.claimHash(claim), claim.cu);
        }
        tree = ResultTreeBuilder.build(leaves);
        tree.lie(1, 0, tree[1][0].sum + 1);
    }

    function _claimOf(DealId dealId, uint256 unit) private view returns (Claim memory claim) {
        (Claim[] memory claims,) = _claims(dealId, units, 1);
        claim = claims[unit];
        if (unit == FALSE_UNIT) claim.cu = units[unit].cuLimit + 1;
    }

    function _openAndPost(DealTerms memory deal_) private returns (DealId dealId, bytes32 resultRoot) {
        dealId = _open(deal_);
        SumNode memory top = _falseTree(dealId).top();
        resultRoot = _post(deal_, top.hash, top.sum);
    }

    function _refuteSum(DealTerms memory deal_) private {
        SumStep[] memory path = _falseTree(_dealId(deal_)).path(1, 0);
        vm.prank(stranger.addr);
        wallet.refuteSum(deal_, path);
    }

    function _refuteBill(DealTerms memory deal_) private {
        DealId dealId = _dealId(deal_);
        Claim memory claim = _claimOf(dealId, FALSE_UNIT);
        bytes32[] memory jobProof = JobTreeBuilder.proof(JobTreeBuilder.build(units), FALSE_UNIT);
        SumNode[] memory resultProof = _falseTree(dealId).proof(FALSE_UNIT);
        vm.prank(stranger.addr);
        wallet.refuteBill(deal_, units[FALSE_UNIT], jobProof, claim, claim.cu, resultProof);
    }

    /* ENDS */

    function _confirm(DealTerms memory deal_) private {
        DealId dealId = _dealId(deal_);
        bytes32 resultRoot = wallet.deal(dealId).resultRoot;
        wallet.confirm(deal_, resultRoot, _sign(buyer, _digest(Typed.confirmation(dealId, resultRoot))));
    }

    function _cancel(DealTerms memory deal_, uint128 payment) private {
        bytes32 digest = _digest(Typed.cancellation(_dealId(deal_), payment));
        wallet.cancel(deal_, payment, _sign(buyer, digest), _sign(hub, digest));
    }

    function _giveBack(DealTerms memory deal_) private {
        vm.prank(hub.addr);
        wallet.giveBack(deal_);
    }

    function _postAgain(DealTerms memory deal_) private {
        SumNode memory top = _falseTree(_dealId(deal_)).top();
        _post(deal_, top.hash, top.sum);
    }

    /// @dev Everything that could decide a deal once more, each of which would in its own time.
    function attempt(uint256 which) external {
        DealTerms memory deal_ = terms;
        if (which == 0) _refuteSum(deal_);
        else if (which == 1) _refuteBill(deal_);
        else if (which == 2) _confirm(deal_);
        else if (which == 3) wallet.settle(deal_);
        else if (which == 4) wallet.refund(deal_);
        else if (which == 5) _cancel(deal_, deal_.cap);
        else if (which == 6) _giveBack(deal_);
        else _postAgain(deal_);
    }

    function _picture(DealId dealId) private view returns (Picture memory) {
        return Picture({
            buyerMoney: token.balanceOf(buyer.addr),
            walletMoney: token.balanceOf(address(wallet)),
            treasuryMoney: token.balanceOf(address(vault)),
            authorMoney: token.balanceOf(author),
            free: wallet.freeBalance(),
            ledger: keccak256(abi.encode(wallet.ledger())),
            deal: keccak256(abi.encode(wallet.deal(dealId)))
        });
    }

    /// @dev At any time after a decision, nothing decides again, and nothing that a decision moves has moved.
    function _assertDecided(DealId dealId, uint256 later) private {
        DealState decided = _state(dealId);
        bytes32 before = keccak256(abi.encode(_picture(dealId)));
        vm.warp(block.timestamp + later);
        for (uint256 which = 0; which < ATTEMPTS; ++which) {
            vm.expectRevert(abi.encodeWithSelector(IHubWallet.DealStateMismatch.selector, dealId, decided));
            this.attempt(which);
        }
        assertEq(keccak256(abi.encode(_picture(dealId))), before, "what was decided changed");
    }

    /* BUG 20: LATE CHALLENGES */

    /// @dev Both refutations hold before the decision, so only the decision keeps them out after it.
    function test_bug20_aRefutationInTimeHolds() public {
        (DealId dealId,) = _openAndPost(terms);
        uint256 inTime = vm.snapshotState();
        _refuteSum(terms);
        _assertState(dealId, DealState.Refuted);
        vm.revertToState(inTime);
        _refuteBill(terms);
        _assertState(dealId, DealState.Refuted);
    }

    /// @dev Even inside the window, whose end a confirmation is.
    function test_bug20_afterAConfirmation_nothingDecidesAgain(uint32 later) public {
        (DealId dealId,) = _openAndPost(terms);
        _confirm(terms);
        _assertState(dealId, DealState.Settled);
        _assertDecided(dealId, later);
    }

    function test_bug20_afterASettlement_nothingDecidesAgain(uint32 later) public {
        (DealId dealId,) = _openAndPost(terms);
        vm.warp(GENESIS + terms.window);
        wallet.settle(terms);
        _assertState(dealId, DealState.Settled);
        _assertDecided(dealId, later);
    }

    function test_bug20_afterARefutation_nothingDecidesAgain(uint32 later, bool bill) public {
        (DealId dealId,) = _openAndPost(terms);
        if (bill) _refuteBill(terms);
        else _refuteSum(terms);
        _assertDecided(dealId, later);
    }

    function test_bug20_afterACancellation_nothingDecidesAgain(uint32 later, uint128 payment) public {
        (DealId dealId,) = _openAndPost(terms);
        _cancel(terms, uint128(bound(payment, 0, terms.cap)));
        _assertState(dealId, DealState.Cancelled);
        _assertDecided(dealId, later);
    }

    function test_bug20_afterAGift_nothingDecidesAgain(uint32 later) public {
        (DealId dealId,) = _openAndPost(terms);
        _giveBack(terms);
        _assertState(dealId, DealState.Refunded);
        _assertDecided(dealId, later);
    }

    /// @dev Not yet settled, but too late: settling is all that is left.
    function test_bug20_betweenWindowAndSettlement_noRefutation(uint32 later) public {
        (DealId dealId,) = _openAndPost(terms);
        uint64 windowEnd = GENESIS + terms.window;
        uint256 time = uint256(windowEnd) + later;
        vm.warp(time);
        for (uint256 which = 0; which < 2; ++which) {
            vm.expectRevert(abi.encodeWithSelector(IHubWallet.WindowOver.selector, windowEnd, time));
            this.attempt(which);
        }
        wallet.settle(terms);
        _assertState(dealId, DealState.Settled);
    }

    /* BUG 21: SHARED CLOCKS */

    /// @dev A deal with the same job, result and money, posted `gap` later.
    function _rival(uint256 gap) private returns (DealTerms memory second) {
        second = terms;
        _freshNonce(second, "rival");
        _open(second);
        vm.warp(GENESIS + gap);
    }

    /// @dev The same root under two deals: each has its own window, whatever becomes of the other.
    function test_bug21_rivalsWithOneResult_haveTheirOwnWindows(uint256 gap) public {
        gap = bound(gap, 1, terms.window - 1);
        DealId firstId = _open(terms);
        SumNode memory top = SumNode(keccak256("one result"), 10e9);
        bytes32 root = _post(terms, top.hash, top.sum);
        DealTerms memory second = _rival(gap);
        assertEq(_post(second, top.hash, top.sum), root, "one result root");

        uint64 firstEnd = GENESIS + terms.window;
        uint64 secondEnd = firstEnd + uint64(gap);
        assertEq(wallet.deal(firstId).windowEnd, firstEnd, "the rival's posting moved the first's clock");
        assertEq(wallet.deal(_dealId(second)).windowEnd, secondEnd, "the rival took over the first's clock");

        vm.warp(firstEnd);
        wallet.settle(terms);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.WindowOpen.selector, secondEnd, firstEnd));
        wallet.settle(second);
        vm.warp(secondEnd - 1);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.WindowOpen.selector, secondEnd, secondEnd - 1));
        wallet.settle(second);
        vm.warp(secondEnd);
        wallet.settle(second);
        _assertState(_dealId(second), DealState.Settled);
    }

    /// @dev A rival that is decided takes no time from the other: it is refuted to its last second.
    function test_bug21_aDecidedRivalEndsNoWindow(uint256 gap, bool refuted) public {
        gap = bound(gap, 1, terms.window - 1);
        (DealId firstId,) = _openAndPost(terms);
        DealTerms memory second = _rival(gap);
        SumNode memory top = _falseTree(_dealId(second)).top();
        _post(second, top.hash, top.sum);
        if (refuted) {
            _refuteSum(terms);
        } else {
            vm.warp(GENESIS + terms.window);
            wallet.settle(terms);
        }
        DealState decided = _state(firstId);

        vm.warp(GENESIS + gap + terms.window - 1);
        _refuteBill(second);
        _assertState(_dealId(second), DealState.Refuted);
        _assertState(firstId, decided);
    }

    /// @dev Neither a second posting nor a second opening starts a clock again.
    function test_bug21_noClockStartsAgain(uint256 gap) public {
        gap = bound(gap, 1, 1 hours);
        (DealId dealId,) = _openAndPost(terms);
        Deal memory before = wallet.deal(dealId);
        vm.warp(GENESIS + gap);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.DealStateMismatch.selector, dealId, DealState.Posted));
        this.attempt(ATTEMPTS - 1);
        bytes memory byBuyer = _sign(buyer, DealId.unwrap(dealId));
        bytes memory byHub = _sign(hub, DealId.unwrap(dealId));
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.DealStateMismatch.selector, dealId, DealState.Posted));
        wallet.open(terms, byBuyer, byHub, _noPermit());
        assertEq(keccak256(abi.encode(wallet.deal(dealId))), keccak256(abi.encode(before)));
    }
}
