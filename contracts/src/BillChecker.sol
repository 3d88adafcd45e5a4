// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IHubWallet} from "./interfaces/IHubWallet.sol";
import {JobTree} from "./libraries/JobTree.sol";
import {ResultTree} from "./libraries/ResultTree.sol";
import {TypedData} from "./libraries/TypedData.sol";
import {Claim, DealId, PostedBill, SumNode, SumStep, UnitLeaf} from "./types/Deal.sol";

/// @title BillChecker
/// @notice Tells whether a proof shows that a posted bill is false. Arithmetic only: no storage, no money, no caller.
/// @dev Beside the wallet because both together would leave the size a contract may have. The wallet's implementation
/// makes its own, so nobody chooses what a wallet asks. Errors are the wallet's.
contract BillChecker {
    using TypedData for Claim;

    /* FUNCTIONS */

    /// @notice Reverts unless `path` leads to a node of the result tree that does not add up.
    /// @param bill What was posted.
    /// @param path Children of the top node first, down to the bad node.
    function requireFalseSum(PostedBill calldata bill, SumStep[] calldata path) external pure {
        if (!ResultTree.isRefutedBy(bill.resultRoot, bill.unitCount, bill.cuTotal, path)) {
            revert IHubWallet.NothingRefuted();
        }
    }

    /// @notice Reverts unless the claim the hub posted for a unit bills it falsely.
    /// @param bill What was posted.
    /// @param unit The unit as the job commits it.
    /// @param jobProof Siblings of the unit's leaf in the job tree, from the leaf upwards.
    /// @param claim The claim the hub put at the unit's position.
    /// @param billed The sum the result tree shows for that leaf.
    /// @param resultProof Siblings of the claim's leaf in the result tree, from the leaf upwards.
    function requireFalseBill(
        PostedBill calldata bill,
        UnitLeaf calldata unit,
        bytes32[] calldata jobProof,
        Claim calldata claim,
        uint64 billed,
        SumNode[] calldata resultProof
    ) external pure {
        if (!JobTree.contains(bill.jobRoot, bill.unitCount, unit, jobProof)) {
            revert IHubWallet.JobProofInvalid(unit.index);
        }
        SumNode memory leaf = SumNode({hash: ResultTree.leafHash(claim.unit, claim.hash(), claim.cu), sum: billed});
        if (!ResultTree.contains(bill.resultRoot, bill.unitCount, unit.index, leaf, resultProof)) {
            revert IHubWallet.ResultProofInvalid(unit.index);
        }
        bool foreign = claim.unit != unit.index || DealId.unwrap(claim.dealId) != DealId.unwrap(bill.dealId);
        if (billed <= unit.cuLimit && billed == claim.cu && !foreign) revert IHubWallet.NothingRefuted();
    }
}
