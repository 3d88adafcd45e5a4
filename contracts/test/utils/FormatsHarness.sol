// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Amounts} from "src/libraries/Amounts.sol";
import {JobTree} from "src/libraries/JobTree.sol";
import {ResultTree} from "src/libraries/ResultTree.sol";
import {TypedData} from "src/libraries/TypedData.sol";
import {Claim, DealId, DealTerms, SumNode, UnitLeaf} from "src/types/Deal.sol";

/// @notice Makes the internal libraries callable with calldata, for comparison with the vectors.
contract FormatsHarness {
    function termsHash(DealTerms calldata terms) external pure returns (bytes32) {
        return TypedData.hash(terms);
    }

    function claimHash(Claim calldata claim) external pure returns (bytes32) {
        return TypedData.hash(claim);
    }

    function confirmation(DealId dealId, bytes32 root) external pure returns (bytes32) {
        return TypedData.confirmation(dealId, root);
    }

    function cancellation(DealId dealId, uint128 amount) external pure returns (bytes32) {
        return TypedData.cancellation(dealId, amount);
    }

    function unitLeafHash(UnitLeaf calldata unit) external pure returns (bytes32) {
        return JobTree.leafHash(unit);
    }

    function jobContains(bytes32 jobRoot, uint32 count, UnitLeaf calldata unit, bytes32[] calldata proof)
        external
        pure
        returns (bool)
    {
        return JobTree.contains(jobRoot, count, unit, proof);
    }

    function resultLeafHash(uint32 unit, bytes32 claimHash_, uint64 cu) external pure returns (bytes32) {
        return ResultTree.leafHash(unit, claimHash_, cu);
    }

    function resultRoot(uint32 count, bytes32 treeHash, uint64 cuTotal) external pure returns (bytes32) {
        return ResultTree.rootOf(count, treeHash, cuTotal);
    }

    function resultContains(bytes32 root, uint32 count, uint32 unit, SumNode memory leaf, SumNode[] calldata proof)
        external
        pure
        returns (bool)
    {
        return ResultTree.contains(root, count, unit, leaf, proof);
    }

    function payment(uint128 cap, uint64 cuTotal, uint128 pricePerPu) external pure returns (uint128) {
        return Amounts.paymentDown(cap, cuTotal, pricePerPu);
    }
}
