// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AppPool} from "src/AppPool.sol";
import {Cases} from "src/Cases.sol";
import {Dao} from "src/Dao.sol";
import {GioToken} from "src/GioToken.sol";
import {HubFactory} from "src/HubFactory.sol";
import {MinerRegistry} from "src/MinerRegistry.sol";
import {Standing} from "src/Standing.sol";
import {Timelock} from "src/Timelock.sol";
import {Treasury} from "src/Treasury.sol";
import {Whitelist} from "src/Whitelist.sol";
import {Terms} from "src/libraries/Terms.sol";
import {WalletParameters} from "src/types/Wallet.sol";
import {Addresses, Plan} from "./Plan.sol";

/// @title Verify
/// @notice Compares deployed contracts with a plan, value by value, through their own views.
abstract contract Verify {
    /// @notice A contract does not say what the plan says.
    error Mismatch(string what);
    /// @notice A plan no market could work with.
    error PlanInvalid(string why);

    /// @notice What the constructors do not check, because it concerns several contracts.
    function checkPlan(Plan memory plan) public pure {
        if (plan.minter == address(0)) revert PlanInvalid("the token needs a minter");
        // R8: otherwise a case could not be carried out in the one period for which payday waits.
        uint256 longestCase = uint256(plan.dao.votingDelay) + plan.dao.votingPeriod + plan.timelockDelay;
        if (longestCase > plan.wallet.payoutPeriod) revert PlanInvalid("a case takes longer than a payout period");
        if (plan.dao.proposalThreshold >= plan.initialSupply) revert PlanInvalid("nobody could propose");
    }

    /// @notice What the factory must have been made with.
    function walletParameters(Addresses memory a, Plan memory plan) public pure returns (WalletParameters memory) {
        return WalletParameters({
            dao: a.timelock,
            treasury: a.treasury,
            cases: a.cases,
            token: a.token,
            whitelist: a.whitelist,
            freezeQuota: plan.wallet.freezeQuota,
            lockPercent: plan.wallet.lockPercent,
            daoFeePerMille: plan.wallet.daoFeePerMille,
            payoutPeriod: plan.wallet.payoutPeriod,
            suspicionPeriod: plan.wallet.suspicionPeriod
        });
    }

    /// @notice Everything that can never change.
    function verifyFixed(Addresses memory a, Plan memory plan) public view {
        GioToken token = GioToken(a.token);
        _equal(token.minter(), plan.minter, "token: minter");
        _equal(token.decimals(), 8, "token: decimals");
        _verifyGovernment(a, plan);
        _verifyTreasury(a, plan);
        _verifyMarket(a, plan);
    }

    /// @notice What a vote may change: compared only right after the deployment.
    function verifyVotable(Addresses memory a, Plan memory plan) public view {
        Dao dao = Dao(payable(a.dao));
        _equal(GioToken(a.token).totalSupply(), plan.initialSupply, "token: supply");
        _equal(dao.votingDelay(), plan.dao.votingDelay, "dao: voting delay");
        _equal(dao.votingPeriod(), plan.dao.votingPeriod, "dao: voting period");
        _equal(dao.proposalThreshold(), plan.dao.proposalThreshold, "dao: threshold");
        _equal(dao.quorumNumerator(), plan.dao.quorumPercent, "dao: quorum");
        _equal(Timelock(payable(a.timelock)).getMinDelay(), plan.timelockDelay, "timelock: delay");
    }

    /* PRIVATE */

    function _verifyGovernment(Addresses memory a, Plan memory plan) private view {
        Timelock timelock = Timelock(payable(a.timelock));
        _true(timelock.hasRole(timelock.PROPOSER_ROLE(), a.dao), "timelock: proposer");
        _true(timelock.hasRole(timelock.CANCELLER_ROLE(), a.dao), "timelock: canceller");
        _true(timelock.hasRole(timelock.EXECUTOR_ROLE(), a.dao), "timelock: executor");
        Dao dao = Dao(payable(a.dao));
        _equal(address(dao.token()), a.token, "dao: token");
        _equal(dao.timelock(), a.timelock, "dao: timelock");
        _equal(dao.cases(), a.cases, "dao: cases");
        _equal(dao.quorumDenominator(), 100, "dao: quorum is per cent");
        _equal(dao.graveQuorumPercent(), plan.dao.graveQuorumPercent, "dao: grave quorum");
        _equal(dao.graveMajorityPercent(), plan.dao.graveMajorityPercent, "dao: grave majority");
        Cases cases = Cases(a.cases);
        _equal(cases.token(), a.token, "cases: token");
        _equal(cases.dao(), a.dao, "cases: dao");
        _equal(cases.treasury(), a.treasury, "cases: treasury");
        _equal(cases.whitelist(), a.whitelist, "cases: whitelist");
        _equal(cases.bondMin(), plan.caseBondMin, "cases: bond");
    }

    function _verifyTreasury(Addresses memory a, Plan memory plan) private view {
        Treasury treasury = Treasury(a.treasury);
        _equal(treasury.token(), a.token, "treasury: token");
        _equal(treasury.dao(), a.timelock, "treasury: dao");
        _equal(treasury.expropriationLock(), plan.treasury.expropriationLock, "treasury: lock");
        _equal(treasury.epochLength(), plan.treasury.epochLength, "treasury: epoch");
        _equal(treasury.claimPeriod(), plan.treasury.claimPeriod, "treasury: claim period");
        _equal(treasury.dividendPerMille(), plan.treasury.dividendPerMille, "treasury: dividend");
    }

    function _verifyMarket(Addresses memory a, Plan memory plan) private view {
        HubFactory factory = HubFactory(a.factory);
        _equal(factory.implementation(), a.walletImplementation, "factory: implementation");
        bytes32 found = keccak256(abi.encode(factory.parameters()));
        _true(found == keccak256(abi.encode(walletParameters(a, plan))), "factory: parameters");
        _equal(Whitelist(a.whitelist).factory(), a.factory, "whitelist: factory");
        _equal(Whitelist(a.whitelist).dao(), a.timelock, "whitelist: dao");
        _equal(Standing(a.standing).curator(), plan.curator, "standing: curator");
        _equal(AppPool(a.appPool).ROYALTY_PER_MILLE_MAX(), Terms.ROYALTY_PER_MILLE_MAX, "pool: royalty");
        MinerRegistry registry = MinerRegistry(a.minerRegistry);
        _equal(registry.token(), a.token, "registry: token");
        _equal(registry.court(), plan.court, "registry: court");
        _equal(registry.bondMin(), plan.registry.bondMin, "registry: bond");
        uint256 delay = Terms.WINDOW_MAX + 2 * uint256(plan.registry.clock) + plan.registry.grace;
        _equal(registry.withdrawalDelay(), delay, "registry: delay");
    }

    function _equal(uint256 found, uint256 planned, string memory what) private pure {
        if (found != planned) revert Mismatch(what);
    }

    function _equal(address found, address planned, string memory what) private pure {
        if (found != planned) revert Mismatch(what);
    }

    function _true(bool holds, string memory what) private pure {
        if (!holds) revert Mismatch(what);
    }
}
