// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Standing} from "src/Standing.sol";
import {IStanding} from "src/interfaces/IStanding.sol";
import {BaseTest} from "../utils/BaseTest.sol";

/// @notice Levels, staked ratings, the delinquency mark and the certificate (GV-04..06, GV-13, GV-19).
contract StandingTest is BaseTest {
    Standing private standing;
    address private curator = makeAddr("curator");
    uint128 private constant STAKE = 2 * GIO;

    function setUp() public override {
        super.setUp();
        standing = new Standing(whitelist, token, address(vault), curator);
        _register();
        _approve(buyer.addr);
        _fund(stranger.addr, BUYER_MONEY);
        _approve(stranger.addr);
    }

    function _approve(address rater) private {
        vm.prank(rater);
        token.approve(address(standing), type(uint256).max);
    }

    function _rate(address rater, uint8 score, uint128 stake) private returns (uint256) {
        vm.prank(rater);
        return standing.rate(address(wallet), score, stake);
    }

    function _assertLevel(IStanding.Level expected) private view {
        assertEq(uint8(standing.levelOf(address(wallet))), uint8(expected));
    }

    function test_constructor_ofNothing_reverts() public {
        vm.expectRevert(IStanding.StandingParametersInvalid.selector);
        new Standing(whitelist, token, address(0), curator);
        vm.expectRevert(IStanding.StandingParametersInvalid.selector);
        new Standing(whitelist, token, stranger.addr, curator);
    }

    /* LEVELS */

    function test_setVerified_byAnyoneButTheDao_reverts(address caller) public {
        vm.assume(caller != dao);
        vm.expectRevert(abi.encodeWithSelector(IStanding.NotStandingDao.selector, caller, dao));
        vm.prank(caller);
        standing.setVerified(address(wallet), true);
    }

    function test_setTrusted_byOthers_reverts(address caller) public {
        vm.assume(caller != dao && caller != curator);
        vm.expectRevert(abi.encodeWithSelector(IStanding.NotCurator.selector, caller));
        vm.prank(caller);
        standing.setTrusted(address(wallet), true);
    }

    function test_levels_ofUnlistedWallets_revert(address other) public {
        vm.assume(other != address(wallet));
        bytes memory refusal = abi.encodeWithSelector(IStanding.WalletNotListed.selector, other);
        vm.startPrank(dao);
        vm.expectRevert(refusal);
        standing.setVerified(other, true);
        vm.expectRevert(refusal);
        standing.setTrusted(other, true);
        vm.stopPrank();
        vm.expectRevert(refusal);
        vm.prank(buyer.addr);
        standing.rate(other, 5, STAKE);
    }

    /// @dev GV-06: the three levels, in both directions.
    function test_levels_followTheDao() public {
        _assertLevel(IStanding.Level.Unverified);
        vm.startPrank(dao);
        vm.expectEmit(address(standing));
        emit IStanding.VerifiedSet(address(wallet), true);
        standing.setVerified(address(wallet), true);
        _assertLevel(IStanding.Level.Verified);
        standing.setTrusted(address(wallet), true);
        _assertLevel(IStanding.Level.Trusted);
        standing.setTrusted(address(wallet), false);
        _assertLevel(IStanding.Level.Verified);
        standing.setVerified(address(wallet), false);
        _assertLevel(IStanding.Level.Unverified);
    }

    /// @dev GV-04, X-12: both epochs, and no way back.
    function test_endCuration_endsTheCuratorForEver(address caller) public {
        vm.assume(caller != dao);
        vm.prank(curator);
        standing.setTrusted(address(wallet), true);
        _assertLevel(IStanding.Level.Trusted);
        vm.expectRevert(abi.encodeWithSelector(IStanding.NotStandingDao.selector, caller, dao));
        vm.prank(caller);
        standing.endCuration();

        vm.expectEmit(address(standing));
        emit IStanding.CurationEnded();
        vm.prank(dao);
        standing.endCuration();
        assertFalse(standing.isCurating());
        vm.expectRevert(abi.encodeWithSelector(IStanding.NotCurator.selector, curator));
        vm.prank(curator);
        standing.setTrusted(address(wallet), false);
        vm.startPrank(dao);
        vm.expectRevert(IStanding.CurationOver.selector);
        standing.endCuration();
        standing.setTrusted(address(wallet), false);
        _assertLevel(IStanding.Level.Unverified);
    }

    /* RATINGS */

    function test_rate_outOfBounds_reverts(uint8 score, uint128 stake) public {
        score = uint8(bound(score, 6, 255));
        stake = uint128(bound(stake, 0, GIO - 1));
        vm.startPrank(buyer.addr);
        vm.expectRevert(abi.encodeWithSelector(IStanding.ScoreOutOfRange.selector, 0));
        standing.rate(address(wallet), 0, STAKE);
        vm.expectRevert(abi.encodeWithSelector(IStanding.ScoreOutOfRange.selector, score));
        standing.rate(address(wallet), score, STAKE);
        vm.expectRevert(abi.encodeWithSelector(IStanding.StakeTooLow.selector, stake, GIO));
        standing.rate(address(wallet), 5, stake);
    }

    /// @dev GV-05: one address cannot rate twice in a period.
    function test_rate_twiceInAPeriod_reverts(uint256 later) public {
        _rate(buyer.addr, 5, STAKE);
        later = bound(later, 0, 30 days - 1);
        vm.warp(GENESIS + later);
        vm.expectRevert(abi.encodeWithSelector(IStanding.RatedAlready.selector, GENESIS + 30 days));
        vm.prank(buyer.addr);
        standing.rate(address(wallet), 1, STAKE);
        vm.warp(GENESIS + 30 days);
        assertEq(_rate(buyer.addr, 1, STAKE), 2);
    }

    /// @dev GV-05: the stake is locked here, and the average is weighted by it.
    function test_rate_weighsByStake(uint8 first, uint8 second, uint128 a, uint128 b) public {
        (first, second) = (uint8(bound(first, 1, 5)), uint8(bound(second, 1, 5)));
        (a, b) = (uint128(bound(a, GIO, BUYER_MONEY)), uint128(bound(b, GIO, BUYER_MONEY)));
        vm.expectEmit(address(standing));
        emit IStanding.HubRated(1, address(wallet), buyer.addr, first, a);
        _rate(buyer.addr, first, a);
        _rate(stranger.addr, second, b);
        assertEq(token.balanceOf(address(standing)), uint256(a) + b);
        (uint256 hundredths, uint128 stake) = standing.scoreOf(address(wallet));
        assertEq(stake, a + b);
        assertEq(hundredths, (uint256(a) * first + uint256(b) * second) * 100 / (uint256(a) + b));
    }

    function test_takeBack_earlyByOthersOrTwice_reverts(uint256 time) public {
        uint256 id = _rate(buyer.addr, 4, STAKE);
        vm.expectRevert(abi.encodeWithSelector(IStanding.NotRater.selector, stranger.addr, buyer.addr));
        vm.prank(stranger.addr);
        standing.takeBack(id);
        vm.startPrank(buyer.addr);
        vm.warp(bound(time, GENESIS, GENESIS + 120 days - 1));
        vm.expectRevert(abi.encodeWithSelector(IStanding.StakeHeld.selector, GENESIS + 120 days));
        standing.takeBack(id);
        vm.warp(GENESIS + 120 days);
        standing.takeBack(id);
        assertEq(token.balanceOf(buyer.addr), BUYER_MONEY);
        (uint256 hundredths, uint128 stake) = standing.scoreOf(address(wallet));
        assertEq(hundredths + stake, 0, "what is not backed does not count");
        vm.expectRevert(
            abi.encodeWithSelector(IStanding.RatingNotStanding.selector, id, IStanding.RatingState.TakenBack)
        );
        standing.takeBack(id);
    }

    /// @dev GV-05: an overturned rating loses its stake.
    function test_hw25_overturn_stakeIsGeneralMoney(address caller) public {
        vm.assume(caller != dao);
        uint256 id = _rate(buyer.addr, 1, STAKE);
        _rate(stranger.addr, 5, STAKE);
        vm.expectRevert(abi.encodeWithSelector(IStanding.NotStandingDao.selector, caller, dao));
        vm.prank(caller);
        standing.overturn(id);
        vm.prank(dao);
        standing.overturn(id);
        assertEq(token.balanceOf(address(vault)), STAKE);
        assertEq(vault.deposited(), STAKE, "general money: no dividend for those who voted for it");
        (uint256 hundredths,) = standing.scoreOf(address(wallet));
        assertEq(hundredths, 500);
        vm.warp(GENESIS + 120 days);
        vm.expectRevert(
            abi.encodeWithSelector(IStanding.RatingNotStanding.selector, id, IStanding.RatingState.Overturned)
        );
        vm.prank(buyer.addr);
        standing.takeBack(id);
    }

    /* MARKS */

    /// @dev GV-13: overdue from the grace time on, until payday.
    function test_isDelinquent_afterTheGraceTime() public {
        uint256 until = GENESIS + 30 days + 7 days;
        vm.warp(until);
        assertFalse(standing.isDelinquent(address(wallet)));
        vm.warp(until + 1);
        assertTrue(standing.isDelinquent(address(wallet)));
        vm.prank(hub.addr);
        wallet.payday();
        assertFalse(standing.isDelinquent(address(wallet)));
        assertFalse(standing.isDelinquent(stranger.addr));
    }

    /// @dev GV-19: only while registered.
    function test_isCertified_onlyWhileRegistered() public {
        assertTrue(standing.isCertified(address(wallet)));
        assertFalse(standing.isCertified(address(_createHub(hub.addr, "second"))));
        assertFalse(standing.isCertified(stranger.addr));
        cases.open(1, address(wallet));
        vm.startPrank(dao);
        wallet.suspect(1);
        assertFalse(standing.isCertified(address(wallet)));
        vm.warp(GENESIS + 120 days);
        wallet.ban();
        assertFalse(standing.isCertified(address(wallet)));
    }
}
